/* core/run/test_support.h - what core/run's tests share.  For them alone. */
#ifndef CORE_RUN_TEST_SUPPORT_H
#define CORE_RUN_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/socket.h>

#include "core/base/buf.h"
#include "core/run/task.h"

/* What happened, in order, as letters. */
static struct buf trace;

static inline void note(char c)
{
    (void)buf_add_char(&trace, c);
}

static inline void run(task_fn *fn)
{
    struct err err;

    buf_done(&trace);
    buf_init(&trace, 1000);
    if (!loop_run(fn, NULL, &err))
        fail_msg("loop_run: %s", err.text);
}

static inline void spawn(struct task_group *g, task_fn *fn, const void *arg)
{
    struct err err;

    assert_true(group_spawn(g, "test", fn, (void *)(uintptr_t)arg, &err));
}

static inline void join(struct task_group *g)
{
    struct err err;

    assert_true(group_wait(g, NEVER, &err));
}

static inline void assert_trace(const char *expected)
{
    assert_string_equal(buf_text(&trace), expected);
}

static inline void make_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

#endif
