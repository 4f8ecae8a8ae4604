#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/run/loop.h"

enum { MOST_FRAMES = 64, LOOKS_PER_LIMIT = 4 };

struct watchdog {
    pthread_t thread, watched;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping;
    int64_t limit_us;
    struct loop *loop;
};

static int stack_signal(void)
{
    return SIGRTMAX;
}

/* Runs on the task that does not come to an end, so that backtrace and core dump show it. */
static void show_stack(int signo)
{
    void *frames[MOST_FRAMES];

    (void)signo;
    backtrace_symbols_fd(frames, backtrace(frames, MOST_FRAMES), STDERR_FILENO);
    bug("watchdog: task %s does not come to a wait", loop_get()->current ? loop_get()->current->name : "(callbacks)");
}

/* False: time to stop. */
static bool pause_between_looks(struct watchdog *w)
{
    struct timespec until;
    int64_t us = w->limit_us / LOOKS_PER_LIMIT + 1;
    bool go_on;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    us += until.tv_nsec / 1000;
    until.tv_sec += us / 1000000;
    until.tv_nsec = us % 1000000 * 1000;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->stopping && pthread_cond_timedwait(&w->stop, &w->lock, &until) != ETIMEDOUT)
        ;
    go_on = !w->stopping;
    (void)pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void *watch(void *arg)
{
    struct watchdog *w = arg;
    unsigned seen = 0, looks = 0;

    while (pause_between_looks(w)) {
        const char *name = atomic_load_explicit(&w->loop->running, memory_order_relaxed);
        unsigned steps = atomic_load_explicit(&w->loop->steps, memory_order_relaxed);

        looks = name != NULL && steps == seen ? looks + 1 : 0;
        seen = steps;
        if (looks < LOOKS_PER_LIMIT)
            continue;
        (void)pthread_kill(w->watched, stack_signal());
        if (!pause_between_looks(w))
            break;
        bug("watchdog: task %s does not come to a wait, nor to a signal", name);
    }
    return NULL;
}

void watchdog_prepare(void)
{
    void *frame;

    (void)backtrace(&frame, 1); /* loads what it needs */
}

void loop_watchdog(int64_t us)
{
    struct loop *l = loop_get();
    struct watchdog *w;
    struct sigaction action = {.sa_handler = show_stack};
    pthread_condattr_t attr;
    sigset_t all, before;

    BUG_IF(l->watchdog != NULL);
    watchdog_prepare(); /* the handler must not load anything */
    w = xcalloc(1, sizeof *w);
    w->limit_us = us;
    w->loop = l;
    w->watched = pthread_self();
    (void)sigaction(stack_signal(), &action, NULL);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->stop, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&w->thread, NULL, watch, w) == 0)
        l->watchdog = w;
    else
        free(w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void watchdog_free(struct loop *l)
{
    struct watchdog *w = l->watchdog;

    if (w == NULL)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    (void)pthread_cond_signal(&w->stop);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    (void)pthread_cond_destroy(&w->stop);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
    l->watchdog = NULL;
}
