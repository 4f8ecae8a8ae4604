/* core/run/pool.h - helper threads for blocking calls (fsync, batches of unlink, NSS look-ups).
 *
 * A job is a whole sequence of blocking calls.  The pool grows on demand to its most threads and shrinks when idle; the
 * calling task is suspended until its job is done and cannot be cancelled meanwhile, so JOB may use the task's stack.
 * Jobs run on another thread: they touch nothing but what ARG points to. */
#ifndef CORE_RUN_POOL_H
#define CORE_RUN_POOL_H

#include "core/run/task.h"

/* Sets the most threads (default 64).  Before the first job. */
void pool_limit(unsigned threads);
/* Runs JOB(ARG) on a helper thread and suspends until it returned.  Never fails: without a thread it runs in place. */
void pool_run(void (*job)(void *arg), void *arg);
/* The same for a JOB that takes milliseconds, seldom seconds: while no other task is there that it could hold up, it runs
 * in place, which saves waking a thread and being woken by it.  The watchdog looks away meanwhile. */
void pool_run_brief(void (*job)(void *arg), void *arg);
/* How many jobs are waiting or running. */
unsigned pool_depth(void);

#endif
