/* core/run/gather.h - blocking jobs that are cheaper done together than one by one.
 *
 * While jobs are under way, those that come are gathered; then all that are there go at once: to helper threads of their
 * own while they are few, as one job when they are many.  Nobody waits for others to come.  A struct gathered lies in
 * what the job is about, in the caller's frame. */
#ifndef CORE_RUN_GATHER_H
#define CORE_RUN_GATHER_H

#include "core/run/task.h"

struct gathered {
    struct gathered *next; /* in a list that is done together */
    struct task *task;
    enum { GATHERED_WAITS, GATHERED_LEADS, GATHERED_GOES_ALONE, GATHERED_DONE } state;
};

struct gathering {
    struct gathered *first, *last; /* who waits for those under way */
    unsigned count;
    bool busy;
    unsigned least;                          /* so many go together */
    void (*alone)(struct gathered *one);     /* both on a helper thread, or in place while nobody else is there */
    void (*together)(struct gathered *first);
};

/* Suspends until ME has been done, alone or together with others.  Not cancelled meanwhile. */
void gather_run(struct gathering *g, struct gathered *me);

#endif
