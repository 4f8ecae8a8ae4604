#include "core/run/test_support.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/run/pool.h"

/* ---- yielding, order ---- */

static void letters(void *arg)
{
    struct err err;

    for (const char *c = arg; *c != '\0'; c++) {
        note(*c);
        assert_true(task_yield(&err));
    }
}

static void order_main(void *arg)
{
    struct task_group g;

    (void)arg;
    group_init(&g);
    spawn(&g, letters, "ace");
    spawn(&g, letters, "bdf");
    assert_int_equal(g.count, 2);
    note('0');
    join(&g);
    note('1');
}

static void tasks_take_turns(void **state)
{
    (void)state;
    run(order_main);
    assert_trace("0abcdef1");
}

/* ---- sleep, deadlines ---- */

static int64_t sleep_begin_us; /* of all: when each comes to its turn depends on the machine */

static void sleeper(void *arg)
{
    struct err err;
    const char *what = arg;

    assert_true(task_sleep((deadline){sleep_begin_us + MILLIS(100) * (what[0] - '0')}, &err));
    note(what[0]);
}

static void sleep_main(void *arg)
{
    struct task_group g;
    struct err err;

    (void)arg;
    group_init(&g);
    sleep_begin_us = clock_monotonic_us();
    spawn(&g, sleeper, "3");
    spawn(&g, sleeper, "1");
    spawn(&g, sleeper, "2");
    assert_false(group_wait(&g, deadline_in(MILLIS(2)), &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    join(&g);
    assert_true(task_sleep(AT_ONCE, &err));
}

static void sleepers_wake_in_order(void **state)
{
    (void)state;
    run(sleep_main);
    assert_trace("123");
}

/* A short wait leaves a timer behind; a later, longer or shorter wait must not be disturbed by it. */
static void timers_main(void *arg)
{
    struct waitq q;
    struct err err;
    int64_t before = clock_monotonic_us();

    (void)arg;
    waitq_init(&q);
    assert_false(waitq_wait(&q, deadline_in(MILLIS(30)), &err));
    assert_false(waitq_wait(&q, deadline_in(MILLIS(60)), &err));
    assert_true(clock_monotonic_us() - before >= MILLIS(90));
    assert_false(waitq_wait(&q, AT_ONCE, &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    before = clock_monotonic_us();
    assert_false(waitq_wait(&q, deadline_in(MILLIS(1)), &err));
    assert_true(clock_monotonic_us() - before < MILLIS(500));
}

static void waits_keep_their_deadlines(void **state)
{
    (void)state;
    run(timers_main);
}

/* ---- cancelling ---- */

static void cancelled_task(void *arg)
{
    struct err err;

    (void)arg;
    note('a');
    assert_false(task_sleep(NEVER, &err));
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_true(task_is_cancelled());
    note('b');
    assert_false(task_yield(&err));
    assert_false(task_wait_fd(0, FD_READ, NEVER, &err));
    assert_int_equal(err.kind, ERR_CANCELLED);
}

static void cancel_main(void *arg)
{
    struct task_group g;
    struct err err;

    (void)arg;
    group_init(&g);
    spawn(&g, cancelled_task, NULL);
    spawn(&g, cancelled_task, NULL);
    assert_true(task_yield(&err));
    note('-');
    group_cancel(&g);
    join(&g);
    spawn(&g, cancelled_task, NULL);
    group_cancel(&g); /* before it ever ran */
    join(&g);
}

static void cancelling_ends_waits(void **state)
{
    (void)state;
    run(cancel_main);
    assert_trace("aa-bbab");
}

/* ---- wait queues ---- */

struct turnstile {
    struct waitq q;
    bool open;
};

static void visitor(void *arg)
{
    struct turnstile *t = arg;
    struct err err;

    while (!t->open)
        if (!waitq_wait(&t->q, NEVER, &err)) {
            note('c');
            return;
        }
    note('v');
}

static void waitq_main(void *arg)
{
    struct turnstile t = {WAITQ_INIT(t.q), false};
    struct task_group g;
    struct err err;

    (void)arg;
    group_init(&g);
    for (int i = 0; i < 4; i++)
        spawn(&g, visitor, &t);
    assert_true(task_yield(&err));
    t.open = true;
    waitq_wake_one(&t.q);
    assert_true(task_yield(&err));
    assert_int_equal(g.count, 3);
    waitq_wake_one(&t.q); /* the wake is not lost by the cancelling that follows */
    group_cancel(&g);
    waitq_wake_all(&t.q);
    join(&g);
    waitq_wake_one(&t.q);
}

static void wait_queues(void **state)
{
    (void)state;
    run(waitq_main);
    assert_trace("vvcc");
}

/* ---- deadlines ---- */

/* Both count from the last wait on, however long the task has run since. */
static void cheap_deadlines(void *arg)
{
    struct err err;
    deadline first, second;

    (void)arg;
    assert_true(task_sleep(deadline_in(MILLIS(1)), &err));
    first = task_deadline_in(SECONDS(1));
    assert_true(first.at_us <= deadline_in(SECONDS(1)).at_us);
    (void)usleep(5000);
    second = task_deadline_in(SECONDS(1));
    assert_int_equal(first.at_us, second.at_us);
    assert_true(task_sleep(deadline_in(MILLIS(1)), &err));
    assert_true(task_deadline_in(SECONDS(1)).at_us >= first.at_us + MILLIS(6));
    assert_int_equal(task_deadline_in(INT64_MAX).at_us, INT64_MAX);
}

static void deadlines_of_the_turn(void **state)
{
    (void)state;
    run(cheap_deadlines);
}

/* ---- the helper pool ---- */

enum { THREADS = 10 };
static atomic_int running, most_running;

/* Ends when THREADS of its kind have run at a time, or does so after two seconds, one after the other. */
static void slow_square(void *arg)
{
    int *n = arg, now = atomic_fetch_add(&running, 1) + 1, most = atomic_load(&most_running);

    while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now))
        continue;
    for (int i = 0; i < 2000 && atomic_load(&most_running) < THREADS; i++)
        (void)usleep(1000);
    (void)usleep(20 * 1000);
    (void)atomic_fetch_sub(&running, 1);
    *n *= *n;
}

static void uses_pool(void *arg)
{
    int n = *(int *)arg;

    pool_run(slow_square, &n);
    *(int *)arg = n;
}

static void pool_main(void *arg)
{
    struct task_group g;
    struct err err;
    int numbers[20];

    (void)arg;
    atomic_store(&most_running, 0);
    pool_limit(THREADS);
    group_init(&g);
    for (int i = 0; i < 20; i++) {
        numbers[i] = i;
        spawn(&g, uses_pool, &numbers[i]);
    }
    assert_true(task_yield(&err));
    assert_int_equal(pool_depth(), 20);
    group_cancel(&g); /* running jobs are not disturbed */
    join(&g);
    assert_int_equal(pool_depth(), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(numbers[i], i * i);
    assert_int_equal(atomic_load(&most_running), THREADS);
    /* Once more, with idle threads there: all of them must take part. */
    atomic_store(&most_running, 0);
    for (int i = 0; i < 20; i++)
        spawn(&g, uses_pool, &numbers[0]);
    join(&g);
    assert_int_equal(atomic_load(&most_running), THREADS);
}

static void helper_threads(void **state)
{
    (void)state;
    run(pool_main);
}

static void note_thread(void *arg)
{
    *(int *)arg = gettid();
}

static void waits_for_peer(void *fd)
{
    struct err err;

    (void)!task_wait_fd(*(int *)fd, FD_READ, deadline_in(SECONDS(60)), &err);
}

static void brief_jobs_main(void *arg)
{
    struct task_group g;
    struct err err;
    int thread = 0, fds[2];

    (void)arg;
    pool_run_brief(note_thread, &thread);
    assert_int_equal(thread, gettid());
    assert_int_equal(pipe(fds), 0);
    group_init(&g);
    spawn(&g, waits_for_peer, &fds[0]);
    pool_run_brief(note_thread, &thread); /* it is about to run */
    assert_true(thread != gettid());
    assert_true(task_yield(&err));
    pool_run_brief(note_thread, &thread); /* it waits */
    assert_true(thread != gettid());
    assert_int_equal(write(fds[1], "x", 1), 1);
    join(&g);
    pool_run_brief(note_thread, &thread);
    assert_int_equal(thread, gettid());
    fd_close(fds[0]);
    fd_close(fds[1]);
}

static void brief_jobs(void **state)
{
    (void)state;
    run(brief_jobs_main);
}

/* ---- many tasks, stacks, stopping ---- */

static __attribute__((noinline)) int use_stack(int depth)
{
    volatile char room[1024];

    room[0] = (char)depth;
    if (depth == 0)
        return room[0];
    return use_stack(depth - 1) + room[0];
}

static void deep(void *arg)
{
    struct err err;

    (void)arg;
    (void)use_stack(100);
    assert_true(task_sleep(deadline_in(MILLIS(1)), &err));
}

static void many_main(void *arg)
{
    struct task_group g;

    (void)arg;
    group_init(&g);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 400; i++)
            spawn(&g, deep, NULL);
        join(&g);
    }
}

static void many_tasks_recycle_stacks(void **state)
{
    (void)state;
    run(many_main);
}

static void forever(void *arg)
{
    struct err err;

    (void)arg;
    (void)!task_sleep(NEVER, &err);
    note('!');
}

static void stop_main(void *arg)
{
    static struct task_group g;

    (void)arg;
    group_init(&g);
    spawn(&g, forever, NULL);
    loop_stop();
}

static void stopping_leaves_tasks(void **state)
{
    (void)state;
    run(stop_main);
    assert_trace("");
}

static void on_idle(void *arg)
{
    (void)arg;
    note('i');
}

/* The sweep takes the unused stack of a task that waits, and must leave alone what the task needs. */
static void idle_main(void *arg)
{
    volatile char mine[3000];
    int fds[2];
    struct err err;

    (void)arg;
    (void)use_stack(60);
    for (size_t i = 0; i < sizeof mine; i++)
        mine[i] = (char)i;
    make_pair(fds);
    assert_false(task_wait_fd_idle(fds[0], FD_READ, deadline_in(MILLIS(1400)), on_idle, NULL, &err));
    for (size_t i = 0; i < sizeof mine; i++)
        assert_int_equal(mine[i], (char)i);
    fd_close(fds[0]);
    fd_close(fds[1]);
}

static void idle_tasks_are_swept(void **state)
{
    (void)state;
    run(idle_main);
    assert_trace("i");
}

/* ---- the guard page ---- */

static void overflow_main(void *arg)
{
    (void)arg;
    (void)use_stack(50000); /* sanitizers keep the arrays elsewhere */
}

static void an_overflow_hits_the_guard(void **state)
{
    int status;
    pid_t pid;

    (void)state;
    pid = fork();
    if (pid == 0) {
        struct err err;

        (void)close(STDERR_FILENO);
        (void)signal(SIGSEGV, SIG_DFL);
        (void)!loop_run(overflow_main, NULL, &err);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0); /* sanitizers exit */
}

/* ---- the watchdog ---- */

static void spin_main(void *arg)
{
    struct err err;

    (void)arg;
    loop_watchdog(MILLIS(100));
    assert_true(task_sleep(deadline_in(MILLIS(300)), &err)); /* waiting is no fault */
    for (volatile unsigned i = 0;; i++)
        ;
}

static void watchdog_ends_spinning_tasks(void **state)
{
    int status, out[2];
    char text[3000];
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(out), 0);
    pid = fork();
    if (pid == 0) {
        struct err err;

        (void)dup2(out[1], STDERR_FILENO);
        (void)close(out[1]);
        (void)signal(SIGABRT, SIG_DFL);
        (void)!loop_run(spin_main, NULL, &err);
        _exit(0);
    }
    (void)close(out[1]);
    while ((got = read(out[0], text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    (void)close(out[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_non_null(strstr(text, "watchdog: task main"));
}

/* ---- floating point and errno stay with their task ---- */

static void adds(void *arg)
{
    double sum = 0, step = *(double *)arg;
    struct err err;

    for (int i = 0; i < 1000; i++) {
        sum += step;
        assert_true(task_yield(&err));
    }
    *(double *)arg = sum;
}

static void float_main(void *arg)
{
    struct task_group g;
    double a = 1, b = 2;

    (void)arg;
    group_init(&g);
    spawn(&g, adds, &a);
    spawn(&g, adds, &b);
    join(&g);
    assert_true(a > 999.5 && a < 1000.5);
    assert_true(b > 1999.5 && b < 2000.5);
}

static void registers_are_preserved(void **state)
{
    (void)state;
    run(float_main);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watchdog_ends_spinning_tasks), /* first: TSan wants to fork before there were threads */
        cmocka_unit_test(an_overflow_hits_the_guard),
        cmocka_unit_test(tasks_take_turns),
        cmocka_unit_test(sleepers_wake_in_order),
        cmocka_unit_test(waits_keep_their_deadlines),
        cmocka_unit_test(cancelling_ends_waits),
        cmocka_unit_test(wait_queues),
        cmocka_unit_test(deadlines_of_the_turn), cmocka_unit_test(helper_threads), cmocka_unit_test(brief_jobs),
        cmocka_unit_test(many_tasks_recycle_stacks),
        cmocka_unit_test(stopping_leaves_tasks),
        cmocka_unit_test(idle_tasks_are_swept),
        cmocka_unit_test(registers_are_preserved),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    buf_done(&trace);
    return failed;
}
