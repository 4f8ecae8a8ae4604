#include "route/qmgr/window.h"

#include <stdio.h>
#include <stdlib.h>

static const double HYSTERESIS = 1;

bool feedback_parse(slice text, struct feedback *out)
{
    struct feedback f = {FEEDBACK_FIXED, 0};
    size_t slash = slice_find(text, '/');
    slice number = slice_trim(slash == SLICE_NONE ? text : slice_head(text, slash));
    char digits[32], *end;

    if (number.n == 0 || number.n >= sizeof digits || slice_find_any(number, "0123456789") == SLICE_NONE)
        return false;
    memcpy(digits, number.p, number.n);
    digits[number.n] = 0;
    f.factor = strtod(digits, &end);
    if (*end != 0 || !(f.factor >= 0 && f.factor <= 1e6))
        return false;
    if (slash == SLICE_NONE) {
        if (f.factor > 1)
            return false;
    } else {
        slice divisor = slice_trim(slice_skip(text, slash + 1));

        if (slice_eq(divisor, S("concurrency")))
            f.kind = FEEDBACK_CONCURRENCY;
        else if (slice_eq(divisor, S("sqrt_concurrency")))
            f.kind = FEEDBACK_SQRT;
        else
            return false;
    }
    *out = f;
    return true;
}

/* Newton's method: saves the math library. */
static double square_root(double x)
{
    double root = x > 1 ? x : 1;

    for (int i = 0; i < 40; i++)
        root = (root + x / root) / 2;
    return root;
}

double feedback_value(const struct feedback *f, int window)
{
    double value = f->factor;

    if (f->kind == FEEDBACK_CONCURRENCY)
        value /= window;
    else if (f->kind == FEEDBACK_SQRT)
        value /= square_root(window);
    return value > 1 ? 1 : value;
}

static int initial_size(const struct window_rules *rules)
{
    int size = rules->initial < 1 ? 1 : rules->initial;

    return rules->limit > 0 && size > rules->limit ? rules->limit : size;
}

void window_open(struct window *w, const struct window_rules *rules)
{
    *w = (struct window){.size = initial_size(rules)};
}

void window_success(struct window *w, const struct window_rules *rules, int busy)
{
    double step = feedback_value(&rules->positive, w->size);

    w->failed_cohorts = 0;
    if ((rules->limit > 0 && w->size >= rules->limit) || w->size >= busy + initial_size(rules))
        return;
    w->success += step;
    /* Half a step of tolerance keeps rounding from delaying the whole numbers. */
    while (w->success + step / 2 >= HYSTERESIS) {
        w->size += (int)HYSTERESIS;
        w->success -= HYSTERESIS;
        w->failure = 0;
    }
    if (rules->limit > 0 && w->size > rules->limit)
        w->size = rules->limit;
}

bool window_failure(struct window *w, const struct window_rules *rules)
{
    double step = feedback_value(&rules->negative, w->size);

    w->failed_cohorts += 1.0 / w->size;
    if (rules->failed_cohort_limit > 0 && w->failed_cohorts + 1e-9 >= rules->failed_cohort_limit)
        return true;
    w->failure -= step;
    while (w->failure < -1e-9) {
        w->size -= (int)HYSTERESIS;
        w->failure += HYSTERESIS;
        w->success = 0;
    }
    if (w->size < 1)
        w->size = 1;
    return false;
}

void window_recover(struct window *w, const struct window_rules *rules, int busy)
{
    window_open(w, rules);
    if (busy > w->size)
        w->size = busy;
}
