/* Prints what tasks cost: switches, waits, round trips through sockets, helper jobs, memory.  Never a test. */
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/io/stream.h"
#include "core/run/pool.h"

enum { SESSIONS = 5000 };

static void check(bool ok, const struct err *err)
{
    if (!ok)
        bug("bench: %s", err->text);
}

static void report(const char *what, int64_t since_us, double count)
{
    (void)printf("%-44s %10.1f ns\n", what, (double)(clock_monotonic_us() - since_us) * 1000 / count);
}

static void spawn(struct task_group *g, task_fn *fn, void *arg)
{
    struct err err;

    check(group_spawn(g, "bench", fn, arg, &err), &err);
}

static int64_t join(struct task_group *g)
{
    struct err err;
    int64_t start = clock_monotonic_us();

    check(group_wait(g, NEVER, &err), &err);
    return start;
}

static void yields(void *arg)
{
    struct err err;

    for (int i = *(int *)arg; i > 0; i--)
        check(task_yield(&err), &err);
}

static void bench_yield(struct task_group *g, int tasks)
{
    int each = 4000000 / tasks;
    char what[64];

    for (int i = 0; i < tasks; i++)
        spawn(g, yields, &each);
    (void)snprintf(what, sizeof what, "yield among %d tasks", tasks);
    report(what, join(g), 4000000);
}

struct ball {
    struct waitq here, there;
    int rounds;
};

static void throws(void *arg)
{
    struct ball *b = arg;
    struct err err;

    for (int i = 0; i < b->rounds; i++) {
        waitq_wake_one(&b->there);
        check(waitq_wait(&b->here, deadline_in(SECONDS(30)), &err), &err);
    }
}

static void catches(void *arg)
{
    struct ball *b = arg;
    struct err err;

    for (int i = 0; i < b->rounds; i++) {
        check(waitq_wait(&b->there, deadline_in(SECONDS(30)), &err), &err);
        waitq_wake_one(&b->here);
    }
}

static void bench_waitq(struct task_group *g)
{
    struct ball b = {WAITQ_INIT(b.here), WAITQ_INIT(b.there), 1000000};

    spawn(g, catches, &b);
    spawn(g, throws, &b);
    report("wait queue round trip with deadlines", join(g), b.rounds);
}

static void answers(void *arg)
{
    AUTO_STREAM struct stream *s = stream_open(*(int *)arg);
    struct err err;
    slice line;

    while (stream_read_line(s, 100, deadline_in(SECONDS(30)), &line, &err) == STREAM_LINE)
        check(stream_write(s, S("pong\r\n"), deadline_in(SECONDS(30)), &err), &err);
}

static void asks(void *arg)
{
    AUTO_STREAM struct stream *s = stream_open(*(int *)arg);
    struct err err;
    slice line;

    for (int i = 0; i < 200000; i++) {
        check(stream_write(s, S("ping\r\n"), deadline_in(SECONDS(30)), &err), &err);
        check(stream_read_line(s, 100, deadline_in(SECONDS(30)), &line, &err) == STREAM_LINE, &err);
    }
}

static void bench_socketpair(struct task_group *g)
{
    int fds[2];

    BUG_IF(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0);
    spawn(g, answers, &fds[0]);
    spawn(g, asks, &fds[1]);
    report("line there and back through a socket pair", join(g), 200000);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void jobs(void *arg)
{
    for (int i = *(int *)arg; i > 0; i--)
        pool_run(nothing, NULL);
}

static void bench_pool(struct task_group *g, int tasks)
{
    int each = 20000 / tasks;
    char what[64];

    for (int i = 0; i < tasks; i++)
        spawn(g, jobs, &each);
    (void)snprintf(what, sizeof what, "helper job, %d at a time", tasks);
    report(what, join(g), 20000);
}

static void bench_spawn(struct task_group *g)
{
    int64_t start = clock_monotonic_us();

    for (int i = 0; i < 100000; i++) {
        spawn(g, nothing, NULL);
        (void)join(g);
    }
    report("task started and ended", start, 100000);
}

static double resident_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long all = 0, resident = 0;

    if (f != NULL && fscanf(f, "%ld %ld", &all, &resident) != 2)
        resident = 0;
    if (f != NULL)
        (void)fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static void bench_memory(struct task_group *g)
{
    static int fds[SESSIONS][2];
    struct err err;
    double before = resident_kib();

    for (int i = 0; i < SESSIONS; i++) {
        BUG_IF(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]) != 0);
        BUG_IF(write(fds[i][1], "x\r\n", 3) != 3);
        spawn(g, answers, &fds[i][0]);
    }
    check(task_sleep(deadline_in(MILLIS(300)), &err), &err);
    (void)printf("%-44s %10.1f KiB\n", "a session that has just spoken", (resident_kib() - before) / SESSIONS);
    check(task_sleep(deadline_in(SECONDS(2)), &err), &err);
    (void)printf("%-44s %10.1f KiB\n", "a session that has been silent for a second", (resident_kib() - before) / SESSIONS);
    for (int i = 0; i < SESSIONS; i++)
        (void)close(fds[i][1]);
    (void)join(g);
}

static void bench(void *arg)
{
    struct task_group g;

    (void)arg;
    group_init(&g);
    bench_memory(&g);
    bench_yield(&g, 2);
    bench_yield(&g, 1000);
    bench_yield(&g, 10000);
    bench_waitq(&g);
    bench_socketpair(&g);
    bench_spawn(&g);
    bench_pool(&g, 1);
    bench_pool(&g, 50);
}

int main(void)
{
    struct err err;

    check(loop_run(bench, NULL, &err), &err);
    return 0;
}
