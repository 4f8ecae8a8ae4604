/* route/qmgr/window.h - how many deliveries to one destination may run at once, and what each result teaches.
 *
 * The window opens with deliveries whose destination answered and closes with those whose destination did not.  A "cohort"
 * is as many deliveries as the window is wide: when failed_cohort_limit of them in a row failed, the destination is dead.
 * Pure arithmetic.  Source: flow.md section 5, "Concurrency". */
#ifndef ROUTE_QMGR_WINDOW_H
#define ROUTE_QMGR_WINDOW_H

#include "core/base/slice.h"

/* How much one result counts: FACTOR, FACTOR/concurrency, or FACTOR/sqrt(concurrency). */
struct feedback {
    enum { FEEDBACK_FIXED, FEEDBACK_CONCURRENCY, FEEDBACK_SQRT } kind;
    double factor;
};
/* "1", "0.5", "1/concurrency", "2 / sqrt_concurrency".  False: none of these, or the number is not within 0 to 1 for
 * the plain form, or negative. */
bool feedback_parse(slice text, struct feedback *out);
double feedback_value(const struct feedback *f, int window);

struct window_rules {
    int initial; /* at least 1 */
    int limit;   /* 0: none */
    int failed_cohort_limit;
    struct feedback positive, negative;
};

struct window {
    int size;
    double success, failure, failed_cohorts;
};

void window_open(struct window *w, const struct window_rules *rules);
/* The destination answered.  BUSY deliveries run, the finished one not counted. */
void window_success(struct window *w, const struct window_rules *rules, int busy);
/* The destination did not answer.  True: it is to be considered dead. */
bool window_failure(struct window *w, const struct window_rules *rules);
/* A dead destination gets another chance. */
void window_recover(struct window *w, const struct window_rules *rules, int busy);

#endif
