#include "core/run/gather.h"

#include "core/base/bug.h"
#include "core/run/loop.h"
#include "core/run/pool.h"

/* A job of a gathering, for a helper thread. */
struct work {
    void (*fn)(struct gathered *first);
    struct gathered *first;
};

static void do_work(void *arg)
{
    const struct work *w = arg;

    w->fn(w->first);
}

static void do_alone(const struct gathering *g, struct gathered *me)
{
    struct work w = {g->alone, me};

    pool_run(do_work, &w);
}

static void tell(struct gathered *m, int state)
{
    m->state = state;
    task_wake(m->task, WOKE_BY_EVENT);
}

static struct gathered *take_all(struct gathering *g, unsigned *count)
{
    struct gathered *first = g->first;

    *count = g->count;
    g->first = g->last = NULL;
    g->count = 0;
    return first;
}

static void tell_others(const struct gathered *me, int state)
{
    for (struct gathered *m = me->next, *next; m != NULL; m = next) {
        next = m->next;
        tell(m, state);
    }
}

/* ME has waited longest. */
static void lead(struct gathering *g, struct gathered *me)
{
    unsigned count;
    struct work w = {g->together, take_all(g, &count)};

    BUG_IF(w.first != me);
    g->busy = true;
    if (count == 1) {
        w.fn = g->alone;
        pool_run_brief(do_work, &w);
    } else if (count < g->least) {
        tell_others(me, GATHERED_GOES_ALONE);
        do_alone(g, me);
    } else {
        pool_run(do_work, &w);
        tell_others(me, GATHERED_DONE);
    }
    g->busy = g->first != NULL;
    if (g->busy)
        tell(g->first, GATHERED_LEADS);
}

static void wait_for_turn(struct gathered *me)
{
    me->task->shielded = true;
    while (me->state == GATHERED_WAITS)
        (void)task_park(NULL, NEVER, "others");
    me->task->shielded = false;
}

void gather_run(struct gathering *g, struct gathered *me)
{
    *me = (struct gathered){.task = loop_task(), .state = g->busy ? GATHERED_WAITS : GATHERED_LEADS};
    if (g->last == NULL)
        g->first = me;
    else
        g->last->next = me;
    g->last = me;
    g->count++;
    wait_for_turn(me);
    if (me->state == GATHERED_LEADS)
        lead(g, me);
    else if (me->state == GATHERED_GOES_ALONE)
        do_alone(g, me);
}
