/* core/run/task.h - tasks: stackful coroutines on the process's one event loop.
 *
 * All tasks of a process run on its main thread, one at a time; a task runs until it waits.  Every function that takes
 * a `deadline` may suspend the calling task while others run; nothing else does.  Waits fail with ERR_TIMEOUT or
 * ERR_CANCELLED; a cancelled task leaves by return, so cleanup attributes run.  A task belongs to a group; a group ends
 * only after its members.
 *
 * loop_run() sets the loop up, runs MAIN as the first task and returns when MAIN has returned and all groups are empty,
 * or loop_stop() was called.  There is one loop per thread; calling task functions outside it is a bug. */
#ifndef CORE_RUN_TASK_H
#define CORE_RUN_TASK_H

#include "core/base/err.h"
#include "core/base/heap.h"
#include "core/base/list.h"
#include "core/run/deadline.h"

struct task;
typedef void task_fn(void *arg);

/* Runs MAIN(ARG) as a task and the loop under it.  False: the loop could not be set up. */
MUST_CHECK bool loop_run(task_fn *main, void *arg, struct err *err);
/* Makes loop_run() return after this turn, whatever tasks are parked.  For programs that are about to exit. */
void loop_stop(void);

/* ---- groups ---- */
struct task_group {
    struct list members;
    struct list waiters;
    unsigned count;
};

void group_init(struct task_group *g);
/* Starts FN(ARG) as a member of G; it first runs on a later turn.  NAME (a literal) is shown by debuggers.  Aborts when
 * there is no memory for a stack; ERR_LIMIT when the process has no more mappings. */
MUST_CHECK bool group_spawn(struct task_group *g, const char *name, task_fn *fn, void *arg, struct err *err);
/* Makes the current and all later waits of every member fail with ERR_CANCELLED. */
void group_cancel(struct task_group *g);
/* Suspends until no member is left.  The caller must not be a member. */
MUST_CHECK bool group_wait(struct task_group *g, deadline by, struct err *err);

/* ---- the current task ---- */
struct task *task_self(void);
const char *task_name(const struct task *t);
void task_cancel(struct task *t);
/* When T waits for FD just now, that wait ends with ERR_TIMEOUT at BY, if it would last longer.  Its later ones are as
 * they are.  From another task or from a callback. */
void task_hurry(struct task *t, int fd, deadline by);
bool task_is_cancelled(void);
MUST_CHECK bool task_sleep(deadline until, struct err *err); /* true at UNTIL; false: cancelled */
/* As deadline_in(), counted from the last time that the loop waited.  Costs nothing: for waits in a loop over many small
 * pieces, most of which do not wait. */
deadline task_deadline_in(int64_t us);
/* Lets others run; call it in long computations and after a burst of I/O that never waited. */
MUST_CHECK bool task_yield(struct err *err);

/* ---- descriptors ----
 * Edge-triggered: try the system call first and wait only on EAGAIN.  FD must be non-blocking.  At most one task waits
 * per direction.  fd_close() forgets FD and closes it: use it, not close(), on anything ever waited for.  But in a forked
 * child use close(): the epoll instance is still the parent's.  After loop_run() fd_close() is close(). */
enum fd_want { FD_READ, FD_WRITE };
MUST_CHECK bool task_wait_fd(int fd, enum fd_want want, deadline by, struct err *err);
/* As task_wait_fd; when the wait has lasted about a second, IDLE(ARG) is called once from the loop, so that the owner can
 * give memory back. */
MUST_CHECK bool task_wait_fd_idle(int fd, enum fd_want want, deadline by, void (*idle)(void *arg), void *arg,
                                  struct err *err);
void fd_close(int fd);
/* The same of an open file that no other process has and no other descriptor stands for: a system call less. */
void fd_close_sole(int fd);
/* Forgets FD without closing, for one that is handed to another process. */
void fd_forget(int fd);

/* Waits for a listening FD that other processes watch too: level-triggered with EPOLLEXCLUSIVE, so a connection wakes one
 * of them.  While no task waits, the FD is not polled at all. */
MUST_CHECK bool task_wait_listener(int fd, deadline by, struct err *err);

/* Suspends until the child PID ends and reaps it; *STATUS as by waitpid().  ERR_TIMEOUT leaves it running. */
MUST_CHECK bool task_wait_child(int pid, deadline by, int *status, struct err *err);

/* ---- waiting for another task ---- */
struct waitq {
    struct list waiters;
};
#define WAITQ_INIT(q) {.waiters = {&(q).waiters, &(q).waiters}}
void waitq_init(struct waitq *q);
/* Suspends until a wake.  Check your condition in a loop around it. */
MUST_CHECK bool waitq_wait(struct waitq *q, deadline by, struct err *err);
void waitq_wake_one(struct waitq *q); /* the one that has waited longest; nothing when none waits */
void waitq_wake_all(struct waitq *q);

/* ---- what follows is called from the loop, not from a task: callbacks must not suspend ---- */

struct timer {
    struct heap_node node; /* zeroed before the first timer_set() */
    void (*fn)(void *arg);
    void *arg;
};
/* Calls FN(ARG) once at AT; re-arms when already set.  The timer's memory is the caller's and must stay until then. */
void timer_set(struct timer *t, deadline at, void (*fn)(void *arg), void *arg);
void timer_clear(struct timer *t);

/* Calls FN(FD, ARG) from the loop whenever FD is readable (level-triggered), until fd_forget() or fd_close(). */
MUST_CHECK bool fd_watch(int fd, void (*fn)(int fd, void *arg), void *arg, struct err *err);

/* Blocks SIGNO for the process and calls FN(SIGNO, ARG) from the loop for each delivery. */
MUST_CHECK bool signal_watch(int signo, void (*fn)(int signo, void *arg), void *arg, struct err *err);
/* Undoes the process-wide blocking in a child between fork and exec: empty mask, default actions. */
void signal_reset_in_child(void);

/* ---- watchdog ----
 * After this, a loop turn that takes longer than US makes a helper thread print the running task's name and stack to
 * stderr and the bug() hook, and abort.  Stacks are shown with a library that is loaded when it is first used: a process
 * that will not be able to read it then says so before, with watchdog_prepare(). */
void watchdog_prepare(void);
void loop_watchdog(int64_t us);

#endif
