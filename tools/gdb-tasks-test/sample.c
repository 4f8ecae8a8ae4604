/* A program with tasks parked in known places, for gdb-tasks.py to find. */
#include <unistd.h>

#include "core/run/task.h"

void everything_is_parked(void);
__attribute__((noinline)) void everything_is_parked(void)
{
    __asm__ volatile("");
}

static __attribute__((noinline)) bool wait_for_input(int fd)
{
    struct err err;

    return task_wait_fd(fd, FD_READ, NEVER, &err);
}

static void reader(void *arg)
{
    if (wait_for_input(*(int *)arg))
        _exit(1);
}

static void sleeper(void *arg)
{
    struct err err;

    (void)arg;
    if (task_sleep(NEVER, &err))
        _exit(1);
}

static void start(void *arg)
{
    struct task_group g;
    struct err err;
    int ends[2];

    (void)arg;
    group_init(&g);
    if (pipe(ends) != 0 || !group_spawn(&g, "reader", reader, ends, &err) ||
        !group_spawn(&g, "sleeper", sleeper, NULL, &err) || !task_yield(&err))
        _exit(1);
    everything_is_parked();
    loop_stop();
}

int main(void)
{
    struct err err;

    return loop_run(start, NULL, &err) ? 0 : 1;
}
