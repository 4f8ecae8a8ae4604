#include "core/run/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/run/loop.h"

enum { IDLE_SECONDS = 5, THREAD_STACK_BYTES = 256 * 1024 };

/* Lies in pool_run()'s frame. */
struct job {
    struct job *next;
    void (*fn)(void *arg);
    void *arg;
    struct task *task;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work, gone;
    struct job *first, *last;   /* waiting, oldest first */
    _Atomic(struct job *) done; /* newest first; not under the lock */
    unsigned queued, threads, idle, most;
    bool stopping;
    int event_fd;
    unsigned depth; /* of the loop's thread alone */
};

/* ---- on the helper threads ---- */

/* False: idle for long, or the end.  Called with the lock held. */
static bool wait_for_work(struct pool *p)
{
    struct timespec until;
    int code = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    p->idle++;
    while (p->first == NULL && !p->stopping && code == 0)
        code = pthread_cond_timedwait(&p->work, &p->lock, &until);
    p->idle--;
    return p->first != NULL;
}

/* The loop is told by whoever finds the list empty; it takes all that is there then.  JOB is gone as soon as it is
 * listed. */
static void give_back(struct pool *p, struct job *job)
{
    struct job *newest = atomic_load_explicit(&p->done, memory_order_relaxed);
    uint64_t one = 1;

    do
        job->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&p->done, &newest, job, memory_order_release, memory_order_relaxed));
    if (newest != NULL)
        return;
    while (write(p->event_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void *work(void *arg)
{
    struct pool *p = arg;

    (void)pthread_mutex_lock(&p->lock);
    while (p->first != NULL || wait_for_work(p)) {
        struct job *job = p->first;

        p->first = job->next;
        p->queued--;
        (void)pthread_mutex_unlock(&p->lock);
        job->fn(job->arg);
        give_back(p, job);
        (void)pthread_mutex_lock(&p->lock);
    }
    p->threads--;
    (void)pthread_cond_signal(&p->gone);
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- on the loop's thread ---- */

static void on_done(int event_fd UNUSED, void *arg UNUSED)
{
    struct pool *p = loop_get()->pool;
    struct job *job, *oldest_first = NULL;
    uint64_t count;

    (void)!read(p->event_fd, &count, sizeof count);
    job = atomic_exchange_explicit(&p->done, NULL, memory_order_acquire);
    while (job != NULL) {
        struct job *next = job->next;

        job->next = oldest_first;
        oldest_first = job;
        job = next;
    }
    for (job = oldest_first; job != NULL; job = job->next)
        task_wake(job->task, WOKE_BY_EVENT);
}

/* NULL: no descriptor left; jobs run in place. */
static struct pool *new_pool(struct loop *l)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_condattr_t attr;
    struct pool *p;
    struct err err;

    if (fd < 0)
        return NULL;
    if (!fd_watch(fd, on_done, NULL, &err)) {
        (void)close(fd);
        return NULL;
    }
    p = xcalloc(1, sizeof *p);
    p->event_fd = fd;
    p->most = l->pool_threads_most;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->work, &attr);
    (void)pthread_cond_init(&p->gone, &attr);
    (void)pthread_condattr_destroy(&attr);
    return p;
}

/* Called with the lock held.  No signal may land on a helper. */
static bool start_thread(struct pool *p)
{
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t thread;
    int code;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
    p->threads++;
    code = pthread_create(&thread, &attr, work, p);
    if (code != 0)
        p->threads--;
    (void)pthread_attr_destroy(&attr);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code == 0;
}

/* False: no thread to be had. */
static bool enqueue(struct pool *p, struct job *job)
{
    bool ok = true;

    (void)pthread_mutex_lock(&p->lock);
    if (p->idle <= p->queued && p->threads < p->most) /* an idle thread may have work and not know it yet */
        ok = start_thread(p) || p->threads > 0;
    if (ok) {
        if (p->first == NULL)
            p->first = job;
        else
            p->last->next = job;
        p->last = job;
        p->queued++;
    }
    (void)pthread_mutex_unlock(&p->lock);
    if (ok) /* only now, or whom it wakes finds the lock taken and sleeps again */
        (void)pthread_cond_signal(&p->work);
    return ok;
}

void pool_limit(unsigned threads)
{
    loop_get()->pool_threads_most = threads;
}

void pool_run(void (*fn)(void *arg), void *arg)
{
    struct loop *l = loop_get();
    struct task *t = loop_task();
    struct job job = {.fn = fn, .arg = arg, .task = t};

    if (l->pool == NULL)
        l->pool = new_pool(l);
    if (l->pool == NULL || !enqueue(l->pool, &job)) {
        fn(arg);
        return;
    }
    l->pool->depth++;
    t->shielded = true;
    (void)task_park(NULL, NEVER, "pool");
    t->shielded = false;
    l->pool->depth--;
}

/* Whoever waits for a descriptor for ever, as listeners do, is not kept waiting by a job. */
static bool is_alone(const struct loop *l)
{
    return l->peers_awaited == 0 && list_empty(&l->ready) && list_empty(&l->batch) && (l->pool == NULL || l->pool->depth == 0);
}

void pool_run_brief(void (*fn)(void *arg), void *arg)
{
    struct loop *l = loop_get();
    const char *name = loop_task()->name;

    if (!is_alone(l)) {
        pool_run(fn, arg);
        return;
    }
    atomic_store_explicit(&l->running, NULL, memory_order_relaxed);
    fn(arg);
    atomic_store_explicit(&l->running, name, memory_order_relaxed);
}

unsigned pool_depth(void)
{
    struct pool *p = loop_get()->pool;

    return p == NULL ? 0 : p->depth;
}

void pool_free(struct loop *l)
{
    struct pool *p = l->pool;

    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->stopping = true;
    (void)pthread_cond_broadcast(&p->work);
    while (p->threads > 0)
        (void)pthread_cond_wait(&p->gone, &p->lock);
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_cond_destroy(&p->work);
    (void)pthread_cond_destroy(&p->gone);
    (void)pthread_mutex_destroy(&p->lock);
    (void)close(p->event_fd);
    free(p);
}
