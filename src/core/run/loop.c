#include "core/run/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/bug.h"

enum { STEPS_PER_POLL = 64 };
#define IDLE_AFTER SECONDS(1)

static _Thread_local struct loop *the_loop;

struct loop *loop_get(void)
{
    if (__builtin_expect(the_loop == NULL, 0))
        bug("task function called outside loop_run()");
    return the_loop;
}

bool loop_is_there(void)
{
    return the_loop != NULL;
}

struct task *loop_task(void)
{
    struct task *t = loop_get()->current;

    if (__builtin_expect(t == NULL, 0))
        bug("waiting is not possible in a callback");
    return t;
}

/* ---- timers ---- */

void timer_set(struct timer *t, deadline at, void (*fn)(void *arg), void *arg)
{
    struct loop *l = loop_get();

    t->fn = fn;
    t->arg = arg;
    if (at.at_us == INT64_MAX)
        heap_remove(&l->timers, &t->node);
    else
        heap_put(&l->timers, &t->node, at.at_us);
}

void timer_clear(struct timer *t)
{
    heap_remove(&loop_get()->timers, &t->node);
}

/* A timer set by a callback for the present runs in the next round, so that the loop goes on. */
static void run_timers(struct loop *l)
{
    struct heap_node *node;
    size_t most = l->timers.count;

    while (most-- > 0 && (node = heap_first(&l->timers)) != NULL && node->key <= l->now_us) {
        struct timer *t = CONTAINER_OF(node, struct timer, node);

        heap_remove(&l->timers, node);
        t->fn(t->arg);
    }
}

/* ---- giving memory of idle tasks back ---- */

static void sweep(void *arg)
{
    struct loop *l = arg;
    struct task *t;

    while ((t = LIST_FIRST(&l->parked, struct task, parked)) != NULL) {
        if (t->parked_at_us + IDLE_AFTER > l->now_us) {
            timer_set(&l->sweep, (deadline){t->parked_at_us + IDLE_AFTER}, sweep, l);
            return;
        }
        list_remove(&t->parked);
        if (t->idle != NULL)
            t->idle(t->idle_arg);
        stack_give_unused(l, t);
    }
}

static void arm_sweep(struct loop *l)
{
    struct task *t = LIST_FIRST(&l->parked, struct task, parked);

    if (t != NULL && !heap_has(&l->sweep.node))
        timer_set(&l->sweep, (deadline){t->parked_at_us + IDLE_AFTER}, sweep, l);
}

/* ---- turns ---- */

static int poll_timeout_ms(const struct loop *l)
{
    const struct heap_node *first = heap_first(&l->timers);
    int64_t us;

    if (!list_empty(&l->ready))
        return 0;
    if (first == NULL)
        return -1;
    us = first->key - clock_monotonic_us();
    if (us <= 0)
        return 0;
    return us < SECONDS(3600) ? (int)((us + 999) / 1000) : 3600 * 1000;
}

static void poll_once(struct loop *l)
{
    int n;

    l->steps_unpolled = 0;
    fd_disarm_listeners(l);
    arm_sweep(l);
    n = epoll_wait(l->epoll_fd, l->events, EVENTS_PER_POLL, poll_timeout_ms(l));
    if (n < 0 && errno != EINTR)
        bug("epoll_wait: errno %d", errno);
    l->now_us = clock_monotonic_us();
    atomic_store_explicit(&l->running, "(callbacks)", memory_order_relaxed);
    for (int i = 0; i < n; i++)
        fd_event(l, &l->events[i]);
    run_timers(l);
}

/* Moves all of FROM to the empty list TO. */
static void list_splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    *to = *from;
    to->next->prev = to;
    to->prev->next = to;
    list_init(from);
}

/* Runs what is ready now; what becomes ready meanwhile waits for the next turn. */
static void turn(struct loop *l)
{
    struct task *t;

    if (list_empty(&l->ready) || l->steps_unpolled >= STEPS_PER_POLL)
        poll_once(l);
    list_splice(&l->batch, &l->ready);
    while ((t = LIST_FIRST(&l->batch, struct task, queue)) != NULL) {
        list_remove(&t->queue);
        l->steps_unpolled++;
        task_step(l, t);
    }
    atomic_store_explicit(&l->running, NULL, memory_order_relaxed);
}

/* ---- the whole ---- */

static struct loop *new_loop(struct err *err)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    struct loop *l;

    if (fd < 0) {
        (void)err_sys(err, "epoll_create1");
        return NULL;
    }
    l = xcalloc(1, sizeof *l);
    l->epoll_fd = fd;
    l->now_us = clock_monotonic_us();
    l->pool_threads_most = 64;
    list_init(&l->ready);
    list_init(&l->batch);
    list_init(&l->tasks);
    list_init(&l->parked);
    list_init(&l->free_stacks);
    heap_init(&l->timers);
    group_init(&l->main_group);
    return l;
}

static void free_loop(struct loop *l)
{
    watchdog_free(l);
    if (l->task_count > 0) { /* stopped: the tasks' stacks stay, and what they point to */
        (void)close(l->epoll_fd);
        annotate_leak(l);
        return;
    }
    pool_free(l);
    pages_free(l);
    bulks_free(l);
    signals_free(l);
    fd_free_all(l);
    stack_free_all(l);
    heap_done(&l->timers);
    (void)close(l->epoll_fd);
    free(l);
}

bool loop_run(task_fn *main, void *arg, struct err *err)
{
    struct loop *l;
    bool started;

    BUG_IF(the_loop != NULL);
    l = new_loop(err);
    if (l == NULL)
        return false;
    the_loop = l;
    (void)signal(SIGPIPE, SIG_IGN);
    started = group_spawn(&l->main_group, "main", main, arg, err);
    while (started && l->task_count > 0 && !l->stopping)
        turn(l);
    free_loop(l);
    the_loop = NULL;
    return started;
}

void loop_stop(void)
{
    loop_get()->stopping = true;
}
