#include <errno.h>

#include "core/base/bug.h"
#include "mail/events/events.h"
#include "mail/service/inner.h"
#include "mail/service/log_lines.h"

/* How long clients that only wait for their next question are let wait, when the worker drains. */
#define MULTI_GRACE_US SECONDS(2)
/* How long a worker that was used often enough must have been idle. */
#define USED_UP_IDLE_US SECONDS(1)
#define TICK_US SECONDS(10)

static struct worker worker; /* the process is one */

struct worker *the_worker(void)
{
    return &worker;
}

struct service_run *service_run(void)
{
    return &worker.run;
}

struct service_needs *service_needs(void)
{
    return &worker.needs;
}

struct params *service_params(void)
{
    return worker.run.params;
}

/* ---- draining ---- */

bool service_is_draining(void)
{
    return worker.draining;
}

void service_drain(const char *why)
{
    struct worker *w = &worker;

    if (w->draining)
        return;
    w->draining = true;
    if (why != NULL)
        event_info("%s", why);
    if (w->session_count > 0)
        channel_taken(w);
    waitq_wake_all(&w->room);
    waitq_wake_all(&w->drained);
}

/* ---- idle time ---- */

static void check_idle(void *arg);

static bool is_used_up(const struct worker *w)
{
    return w->max_use > 0 && w->used / USE >= (unsigned)w->max_use;
}

static int64_t idle_needed_us(const struct worker *w)
{
    if (is_used_up(w))
        return USED_UP_IDLE_US;
    return w->max_idle_us > 0 ? w->max_idle_us : INT64_MAX;
}

static void arm_idle(struct worker *w, int64_t since_us)
{
    int64_t needed = idle_needed_us(w);

    if (needed != INT64_MAX)
        timer_set(&w->idle, (deadline){since_us + needed}, check_idle, w);
}

static void check_idle(void *arg)
{
    struct worker *w = arg;

    /* Idle clients of services with many questions per connection do not count, others do. */
    if (w->session_count > 0 && !w->counts_answers)
        return;
    if (log_has_kept(events_log()))
        arm_idle(w, clock_monotonic_us());
    else if (clock_monotonic_us() - w->last_answer_us >= idle_needed_us(w))
        service_drain(NULL);
    else
        arm_idle(w, w->last_answer_us);
}

void service_answered(void)
{
    worker.last_answer_us = clock_monotonic_us();
    worker.counts_answers = (worker.service->flags & SERVICE_MULTI) != 0;
}

/* ---- sessions ---- */

bool worker_is_full(const struct worker *w)
{
    return w->session_count >= w->session_most;
}

void worker_begin(struct worker *w)
{
    w->session_count++;
    w->used += USE / w->session_count;
    if (worker_is_full(w))
        channel_taken(w);
    else if (!w->greeted)
        channel_works(w);
    w->greeted = true;
}

void worker_end(struct worker *w)
{
    unsigned most = w->session_most;

    w->session_count--;
    if (w->session_count == 0) {
        w->last_answer_us = clock_monotonic_us();
        arm_idle(w, w->last_answer_us);
    }
    /* A little below the limit only, so that master is not told of every session. */
    if (w->draining || w->session_count >= most - most / 16)
        return;
    channel_available(w);
    waitq_wake_all(&w->room);
}

bool listener_wait(struct listener *l)
{
    struct worker *w = l->worker;
    struct err err;
    bool ready;

    while (!w->draining && worker_is_full(w))
        if (!waitq_wait(&w->room, NEVER, &err))
            return false;
    if (w->draining)
        return false;
    w->idle_listeners[l->index] = task_self();
    ready = task_wait_listener(l->fd, NEVER, &err);
    w->idle_listeners[l->index] = NULL;
    return ready && !w->draining;
}

void listener_pause(void)
{
    struct err err;

    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    event_warning("accept connection: %m"); /* no descriptors, or no memory: asking again at once would not help */
    (void)!task_sleep(deadline_in(SECONDS(1)), &err);
}

/* ---- regular work ---- */

static void tick(void *arg)
{
    struct worker *w = arg;
    AUTO_BUF struct buf name = BUF_INIT(2000);

    timer_set(&w->tick, deadline_in(TICK_US), tick, w);
    if (w->service->tick != NULL)
        w->service->tick();
    for (size_t i = 0; i < w->watcher_count && !w->draining; i++) {
        buf_clear(&name);
        if (!w->watchers[i].changed(w->watchers[i].arg, &name))
            continue;
        event_info("table %s has changed -- restarting", buf_text(&name));
        service_drain(NULL);
    }
}

void service_watch(bool (*changed)(void *arg, struct buf *name), void *arg)
{
    struct worker *w = &worker;

    w->watchers = xrealloc_array(w->watchers, w->watcher_count + 1, sizeof *w->watchers);
    w->watchers[w->watcher_count++] = (struct watcher){changed, arg};
    if (w->tick.fn == NULL && w->last_answer_us != 0)
        timer_set(&w->tick, deadline_in(TICK_US), tick, w);
}

bool service_spawn(const char *name, task_fn *fn, void *arg, bool background, struct err *err)
{
    return group_spawn(background ? &worker.background : &worker.clients, name, fn, arg, err);
}

/* ---- the first task ---- */

static void start_listeners(struct worker *w)
{
    task_fn *fn = w->service->client != NULL    ? stream_listener
                  : w->service->trigger != NULL ? trigger_listener
                                                : datagram_listener;
    struct err err;

    for (int i = 0; i < w->options.sockets; i++) {
        struct listener *l = xcalloc(1, sizeof *l);

        *l = (struct listener){w, FD_LISTEN + i, i};
        if (!group_spawn(&w->listeners, "listener", fn, l, &err))
            event_fatal("%s", err.text);
    }
    if (!group_spawn(&w->background, "master", channel_watch, w, &err))
        event_fatal("%s", err.text);
}

/* A delivery has limits of its own, and to break it off is to do it twice. */
static int64_t drain_limit(const struct worker *w)
{
    const struct params *p = w->run.params;

    if ((w->service->flags & SERVICE_MULTI) != 0)
        return MULTI_GRACE_US;
    if ((w->service->flags & SERVICE_AGENT) != 0 && p->daemon_timeout_us > p->drain_time_limit_us)
        return p->daemon_timeout_us;
    return p->drain_time_limit_us;
}

static void finish(struct worker *w)
{
    deadline by = deadline_in(drain_limit(w));
    struct err err;

    for (int i = 0; i < w->options.sockets; i++)
        if (w->idle_listeners[i] != NULL)
            task_cancel(w->idle_listeners[i]);
    if (!group_wait(&w->listeners, by, &err)) {
        group_cancel(&w->listeners);
        (void)!group_wait(&w->listeners, deadline_in(SECONDS(5)), &err);
    }
    /* A new master may want these addresses while the last sessions run on. */
    for (int i = 0; i < w->options.sockets; i++)
        fd_close(FD_LISTEN + i);
    if (group_wait(&w->clients, by, &err))
        return;
    group_cancel(&w->clients);
    (void)!group_wait(&w->clients, deadline_in(SECONDS(5)), &err);
}

static void serve(struct worker *w)
{
    struct err err;

    start_listeners(w);
    arm_idle(w, w->last_answer_us);
    if (w->service->tick != NULL || w->watcher_count > 0)
        timer_set(&w->tick, deadline_in(TICK_US), tick, w);
    while (!w->draining)
        if (!waitq_wait(&w->drained, NEVER, &err))
            break;
    finish(w);
}

void worker_main(void *arg)
{
    struct worker *w = arg;
    struct err err;

    list_init(&w->sessions);
    waitq_init(&w->room);
    waitq_init(&w->drained);
    waitq_init(&w->flow_waiters);
    group_init(&w->listeners);
    group_init(&w->clients);
    group_init(&w->background);
    loop_watchdog(w->service->watchdog_us != 0 ? w->service->watchdog_us : w->run.params->network_watchdog_timeout_us);
    log_lines_begin();
    if (!stop_watch(w, &err))
        event_fatal("%s", err.text);
    if (w->service->start != NULL && !w->service->start(&w->run, &err))
        event_fatal("%s", err.text);
    w->last_answer_us = clock_monotonic_us();
    if (w->run.standalone)
        standalone_session(w);
    else
        serve(w);
    if (w->service->stop != NULL)
        w->service->stop();
    log_lines_end();
    loop_stop();
}
