#include "core/run/task.h"

#include <stdatomic.h>

#include "core/base/bug.h"
#include "core/run/loop.h"

/* ---- switching ---- */

static void go_home(struct loop *l, struct task *t, bool last)
{
    annotate_leave(&t->annotation, &l->home_annotation, last);
    switch_to(&t->at, &l->home);
    annotate_arrive(&t->annotation, &l->home_annotation);
}

static void take_dead(struct loop *l)
{
    if (l->dead != NULL)
        stack_give(l, l->dead);
    l->dead = NULL;
}

void task_step(struct loop *l, struct task *t)
{
    l->current = t;
    atomic_store_explicit(&l->running, t->name, memory_order_relaxed);
    atomic_store_explicit(&l->steps, atomic_load_explicit(&l->steps, memory_order_relaxed) + 1, memory_order_relaxed);
    annotate_leave(&l->home_annotation, &t->annotation, false);
    switch_to(&l->home, &t->at);
    annotate_arrive(&l->home_annotation, &t->annotation);
    l->current = NULL;
    take_dead(l);
}

static void end_task(struct loop *l, struct task *t)
{
    struct task_group *g = t->group;

    timer_clear(&t->timer);
    list_remove(&t->everyone);
    list_remove(&t->fellows);
    l->task_count--;
    if (--g->count == 0) {
        LIST_EACH(link, &g->waiters)
            task_wake(LIST_ENTRY(link, struct task, queue), WOKE_BY_EVENT);
    }
    l->dead = t;
}

static void first_frame(void)
{
    struct loop *l = loop_get();
    struct task *t = l->current;

    annotate_arrive(&t->annotation, &l->home_annotation);
    t->fn(t->arg);
    end_task(l, t);
    go_home(l, t, true);
    bug("task %s goes on after its end", t->name);
}

/* ---- waiting and waking ---- */

static void on_timer(void *arg)
{
    struct task *t = arg;

    if (!t->is_parked || t->due_us == INT64_MAX)
        return;
    if (t->due_us > loop_get()->now_us)
        timer_set(&t->timer, (deadline){t->due_us}, on_timer, t);
    else
        task_wake(t, WOKE_BY_DEADLINE);
}

void task_wake(struct task *t, enum woke why)
{
    if (!t->is_parked)
        return;
    t->is_parked = false;
    t->woke = why;
    list_remove(&t->parked);
    list_remove(&t->queue);
    list_push_back(&loop_get()->ready, &t->queue);
}

static void arm(struct task *t, deadline by)
{
    if (by.at_us != INT64_MAX && (!heap_has(&t->timer.node) || t->timer.node.key > by.at_us))
        timer_set(&t->timer, by, on_timer, t);
}

void task_due(struct task *t, deadline by)
{
    if (by.at_us >= t->due_us)
        return;
    t->due_us = by.at_us;
    arm(t, by);
}

enum woke task_park(struct list *queue, deadline by, const char *waits_for)
{
    struct loop *l = loop_get();
    struct task *t = loop_task();

    if (!t->shielded) {
        if (t->cancelled)
            return WOKE_BY_CANCEL;
        if (by.at_us <= l->now_us)
            return WOKE_BY_DEADLINE;
    }
    t->due_us = by.at_us;
    arm(t, by);
    if (queue != NULL)
        list_push_back(queue, &t->queue);
    t->is_parked = true;
    t->parked_at_us = l->now_us;
    t->waits_for = waits_for;
    go_home(l, t, false);
    t->waits_for = NULL;
    return t->woke;
}

bool woke_to_err(enum woke woke, struct err *err)
{
    if (woke == WOKE_BY_EVENT)
        return true;
    if (woke == WOKE_BY_DEADLINE)
        return err_set(err, ERR_TIMEOUT, "timed out");
    return err_set(err, ERR_CANCELLED, "cancelled");
}

/* ---- groups ---- */

void group_init(struct task_group *g)
{
    list_init(&g->members);
    list_init(&g->waiters);
    g->count = 0;
}

bool group_spawn(struct task_group *g, const char *name, task_fn *fn, void *arg, struct err *err)
{
    struct loop *l = loop_get();
    struct task *t = stack_take(l, err);

    if (t == NULL)
        return false;
    t->group = g;
    t->name = name;
    t->fn = fn;
    t->arg = arg;
    switch_prepare(&t->at, t->stack_low, (size_t)((char *)t - t->stack_low), first_frame);
    list_push_back(&l->tasks, &t->everyone);
    list_push_back(&g->members, &t->fellows);
    list_push_back(&l->ready, &t->queue);
    g->count++;
    l->task_count++;
    return true;
}

void group_cancel(struct task_group *g)
{
    LIST_EACH(link, &g->members)
        task_cancel(LIST_ENTRY(link, struct task, fellows));
}

bool group_wait(struct task_group *g, deadline by, struct err *err)
{
    BUG_IF(loop_task()->group == g);
    while (g->count > 0)
        if (!woke_to_err(task_park(&g->waiters, by, "group"), err))
            return false;
    return true;
}

/* ---- the current task ---- */

struct task *task_self(void)
{
    return loop_get()->current;
}

const char *task_name(const struct task *t)
{
    return t->name;
}

void task_cancel(struct task *t)
{
    t->cancelled = true;
    if (!t->shielded)
        task_wake(t, WOKE_BY_CANCEL);
}

bool task_is_cancelled(void)
{
    return loop_task()->cancelled;
}

bool task_yield(struct err *err)
{
    struct loop *l = loop_get();
    struct task *t = loop_task();

    if (t->cancelled)
        return woke_to_err(WOKE_BY_CANCEL, err);
    t->is_parked = true;
    task_wake(t, WOKE_BY_EVENT);
    go_home(l, t, false);
    return woke_to_err(t->cancelled ? WOKE_BY_CANCEL : WOKE_BY_EVENT, err);
}

bool task_sleep(deadline until, struct err *err)
{
    if (deadline_passed(until))
        return task_yield(err);
    return woke_to_err(task_park(NULL, until, "sleep") == WOKE_BY_CANCEL ? WOKE_BY_CANCEL : WOKE_BY_EVENT, err);
}

deadline task_deadline_in(int64_t us)
{
    int64_t at;

    return __builtin_add_overflow(loop_get()->now_us, us, &at) ? NEVER : (deadline){at};
}

/* ---- wait queues ---- */

void waitq_init(struct waitq *q)
{
    list_init(&q->waiters);
}

bool waitq_wait(struct waitq *q, deadline by, struct err *err)
{
    return woke_to_err(task_park(&q->waiters, by, "waitq"), err);
}

void waitq_wake_one(struct waitq *q)
{
    struct task *t = LIST_FIRST(&q->waiters, struct task, queue);

    if (t != NULL)
        task_wake(t, WOKE_BY_EVENT);
}

void waitq_wake_all(struct waitq *q)
{
    LIST_EACH(link, &q->waiters)
        task_wake(LIST_ENTRY(link, struct task, queue), WOKE_BY_EVENT);
}
