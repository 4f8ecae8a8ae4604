/* core/run/loop.h - what the parts of core/run share.  For core/run alone. */
#ifndef CORE_RUN_LOOP_H
#define CORE_RUN_LOOP_H

#include <sys/epoll.h>

#include "core/run/annotate.h"
#include "core/run/switch.h"
#include "core/run/task.h"

enum woke { WOKE_BY_EVENT, WOKE_BY_DEADLINE, WOKE_BY_CANCEL };

/* Lives at the top of its own stack. */
struct task {
    struct switch_point at;
    struct list everyone; /* loop.tasks */
    struct list fellows;  /* group.members */
    struct list queue;    /* loop.ready, or what it waits in */
    struct list parked;   /* loop.parked, when it may become idle */
    struct task_group *group;
    const char *name;
    task_fn *fn;
    void *arg;
    /* A wait leaves its timer in the heap when it ends: the next wait mostly asks for a later time, which then costs
     * nothing.  Due is what really counts. */
    struct timer timer;
    int64_t due_us, parked_at_us;
    void (*idle)(void *arg);
    void *idle_arg;
    const char *waits_for; /* for debuggers */
    char *stack_low;
    struct annotation annotation;
    enum woke woke;
    int waits_fd;
    bool is_parked, cancelled, shielded;
};

enum fd_mode {
    FD_UNKNOWN,
    FD_EDGE,
    FD_LISTENER,
    FD_CALLBACK,
    FD_ALWAYS_READY /* a kind epoll refuses: regular files */
};

struct fd_slot {
    struct task *waiter[2];        /* by enum fd_want */
    void (*fn)(int fd, void *arg); /* FD_CALLBACK */
    void *arg;
    unsigned char mode;
    bool ready[2]; /* sticky until a wait takes it */
    bool ended;    /* the peer seems to send no more */
    bool tells_room; /* EPOLLOUT is watched too */
};

struct pages;
struct pool;
struct signals;
struct watchdog;

enum { EVENTS_PER_POLL = 256, BULKS_WARM = 16 };

struct loop {
    struct task *current;
    struct list ready, batch;
    struct list tasks;  /* all of them, for debuggers and the end */
    struct list parked; /* waiting on a descriptor and not yet swept, longest first */
    size_t task_count;
    size_t peers_awaited; /* tasks that wait for a descriptor, but not for ever */
    struct heap timers;
    int64_t now_us; /* at the last poll */
    int epoll_fd;
    unsigned steps_unpolled;
    bool stopping;

    struct fd_slot *fds;
    size_t fd_count;
    int *listeners; /* armed ones */
    size_t listener_count, listener_cap;

    struct list free_stacks;
    size_t free_stack_count, stack_bytes, page_bytes;
    struct task *dead; /* ended; its stack is still to be taken */

    struct timer sweep;
    struct task_group main_group;
    unsigned pool_threads_most;
    struct pages *pages;
    void *bulks[BULKS_WARM]; /* not in use, but kept */
    size_t bulks_warm, bulks_out;
    struct pool *pool;
    struct signals *signals;
    struct watchdog *watchdog;
    /* Read by the watchdog's thread. */
    _Atomic unsigned steps;
    _Atomic(const char *) running;

    struct switch_point home;
    struct annotation home_annotation;
    struct epoll_event events[EVENTS_PER_POLL];
};

/* The calling thread's loop; a bug when there is none. */
struct loop *loop_get(void);
bool loop_is_there(void);
/* The running task; a bug in callbacks. */
struct task *loop_task(void);

/* task.c */
/* Suspends the current task, listed in QUEUE when that is not NULL, until task_wake(), BY, or cancellation. */
enum woke task_park(struct list *queue, deadline by, const char *waits_for);
/* Makes T runnable; nothing when it is not parked. */
void task_wake(struct task *t, enum woke why);
/* T is parked: no longer than until BY. */
void task_due(struct task *t, deadline by);
/* True for WOKE_BY_EVENT; else sets ERR. */
MUST_CHECK bool woke_to_err(enum woke woke, struct err *err);
void task_step(struct loop *l, struct task *t);

/* stack.c */
/* NULL: ERR is set. */
struct task *stack_take(struct loop *l, struct err *err);
void stack_give(struct loop *l, struct task *t);
void stack_give_unused(struct loop *l, struct task *t);
void stack_free_all(struct loop *l);

/* fd.c */
void fd_event(struct loop *l, const struct epoll_event *event);
void fd_disarm_listeners(struct loop *l);
void fd_free_all(struct loop *l);

void pages_free(struct loop *l);
void bulks_free(struct loop *l);
void pool_free(struct loop *l);
void signals_free(struct loop *l);
void watchdog_free(struct loop *l);

#endif
