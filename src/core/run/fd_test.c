#include "core/run/test_support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- descriptors ---- */

static char read_byte(int fd)
{
    struct err err;
    char c;

    for (;;) {
        ssize_t n = read(fd, &c, 1);

        if (n == 1)
            return c;
        if (n == 0)
            return 'E';
        assert_int_equal(errno, EAGAIN);
        assert_true(task_wait_fd(fd, FD_READ, deadline_in(SECONDS(10)), &err));
    }
}

static void echo(void *arg)
{
    int fd = *(int *)arg;
    char c;

    while ((c = read_byte(fd)) != 'E')
        assert_int_equal(write(fd, &c, 1), 1);
    fd_close(fd);
}

static void fd_main(void *arg)
{
    struct task_group g;
    struct err err;
    int fds[2];

    (void)arg;
    make_pair(fds);
    group_init(&g);
    spawn(&g, echo, &fds[1]);
    for (char c = 'a'; c < 'e'; c++) {
        assert_int_equal(write(fds[0], &c, 1), 1);
        note(read_byte(fds[0]));
    }
    assert_false(task_wait_fd(fds[0], FD_READ, deadline_in(MILLIS(5)), &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    fd_close(fds[0]);
    join(&g);
}

static void descriptors(void **state)
{
    (void)state;
    run(fd_main);
    assert_trace("abcd");
}

static void number_reused_main(void *arg)
{
    int first[2], second[2];
    struct err err;
    char c = 'x';

    (void)arg;
    make_pair(first);
    assert_false(task_wait_fd(first[0], FD_READ, deadline_in(MILLIS(1)), &err));
    int held = dup(first[0]); /* keeps the open file alive, as a child would */
    int number = first[0];

    fd_close(first[0]);
    make_pair(second);
    assert_int_equal(second[0], number);
    assert_int_equal(write(first[1], &c, 1), 1);
    assert_false(task_wait_fd(second[0], FD_READ, deadline_in(MILLIS(5)), &err));
    assert_int_equal(write(second[1], &c, 1), 1);
    assert_int_equal(read_byte(second[0]), 'x');
    fd_close(second[0]);
    fd_close(second[1]);
    (void)close(held);
    (void)close(first[1]);
}

static void numbers_are_reused(void **state)
{
    (void)state;
    run(number_reused_main);
}

static int listen_somewhere(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof *address;

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
    assert_int_equal(listen(fd, 10), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
    return fd;
}

/* A socket watched before it is connected looks ended at first. */
static void early_watch_main(void *arg)
{
    struct sockaddr_in address;
    int listener = listen_somewhere(&address), other;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct err err;
    char c = 'x';

    (void)arg;
    assert_true(task_wait_fd(fd, FD_READ, deadline_in(SECONDS(1)), &err)); /* hung up, as it were */
    (void)connect(fd, (struct sockaddr *)&address, sizeof address);
    assert_true(task_wait_fd(fd, FD_WRITE, deadline_in(SECONDS(1)), &err));
    while (task_wait_fd(fd, FD_READ, deadline_in(MILLIS(5)), &err))
        note('r');
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_true(trace.n < 3);
    assert_true(task_wait_listener(listener, deadline_in(SECONDS(1)), &err));
    other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_int_equal(write(other, &c, 1), 1);
    fd_close(other); /* byte and end together */
    assert_true(task_sleep(deadline_in(MILLIS(5)), &err));
    assert_true(task_wait_fd(fd, FD_READ, deadline_in(SECONDS(1)), &err));
    assert_int_equal(read(fd, &c, 1), 1);
    assert_true(task_wait_fd(fd, FD_READ, deadline_in(SECONDS(1)), &err));
    assert_int_equal(read(fd, &c, 1), 0);
    fd_close(fd);
    fd_close(listener);
}

static void unconnected_sockets(void **state)
{
    (void)state;
    run(early_watch_main);
}

/* An error on a datagram socket is told once and is no end. */
static void datagram_main(void *arg)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), closed = socket(AF_INET, SOCK_DGRAM, 0);
    struct err err;
    char c = 'x';

    (void)arg;
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(closed, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(closed, (struct sockaddr *)&address, &size), 0);
    (void)close(closed);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(write(fd, &c, 1), 1); /* nobody is there: ICMP */
    assert_true(task_wait_fd(fd, FD_READ, deadline_in(SECONDS(1)), &err));
    assert_int_equal(read(fd, &c, 1), -1);
    assert_false(task_wait_fd(fd, FD_READ, deadline_in(MILLIS(5)), &err));
    fd_close(fd);
}

static void datagram_errors(void **state)
{
    (void)state;
    run(datagram_main);
}

static void regular_file_main(void *arg)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct err err;

    (void)arg;
    assert_true(task_wait_fd(fd, FD_READ, NEVER, &err));
    fd_close(fd);
}

static void regular_files_are_always_ready(void **state)
{
    (void)state;
    run(regular_file_main);
}

/* ---- listeners ---- */

static void accept_three(void *arg)
{
    int listener = *(int *)arg, got = 0;
    struct err err;

    while (got < 3) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            note('A');
            got++;
            (void)close(fd);
        } else {
            assert_true(task_wait_listener(listener, deadline_in(SECONDS(10)), &err));
        }
    }
}

static void listener_main(void *arg)
{
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);
    struct task_group g;
    struct err err;

    (void)arg;
    assert_false(task_wait_listener(listener, deadline_in(MILLIS(2)), &err));
    group_init(&g);
    spawn(&g, accept_three, &listener);
    for (int i = 0; i < 3; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        assert_true(task_sleep(deadline_in(MILLIS(2)), &err));
        (void)close(fd);
    }
    join(&g);
    fd_close(listener);
}

static void listeners(void **state)
{
    (void)state;
    run(listener_main);
    assert_trace("AAA");
}

/* ---- children ---- */

static void child_main(void *arg)
{
    struct err err;
    int status = 0;
    pid_t pid = fork();

    (void)arg;
    if (pid == 0) {
        signal_reset_in_child();
        (void)usleep(30 * 1000);
        _exit(7);
    }
    assert_false(task_wait_child(pid, deadline_in(MILLIS(2)), &status, &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_true(task_wait_child(pid, deadline_in(SECONDS(10)), &status, &err));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_false(task_wait_child(pid, NEVER, &status, &err));
    assert_int_equal(err.kind, ERR_SYS);
}

static void children(void **state)
{
    (void)state;
    run(child_main);
}

/* ---- waits that are cut short ---- */

struct waiting {
    struct task *task;
    int fd;
};

static void wait_long(void *arg)
{
    struct waiting *w = arg;
    struct err err;

    w->task = task_self();
    assert_false(task_wait_fd(w->fd, FD_READ, NEVER, &err));
    note(err.kind == ERR_TIMEOUT ? 't' : '?');
    assert_true(task_sleep(deadline_in(MILLIS(1)), &err)); /* it is not cancelled */
    note('s');
}

static void hurry_main(void *arg)
{
    int pair[2];
    struct waiting w = {0};
    struct task_group g;
    struct err err;

    (void)arg;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    w.fd = pair[0];
    group_init(&g);
    assert_true(group_spawn(&g, "waits", wait_long, &w, &err));
    assert_true(task_yield(&err));
    task_hurry(w.task, pair[1], AT_ONCE); /* it waits for another one */
    assert_false(group_wait(&g, deadline_in(MILLIS(20)), &err));
    note('w');
    task_hurry(w.task, pair[0], AT_ONCE);
    assert_true(group_wait(&g, deadline_in(SECONDS(10)), &err));
    fd_close(pair[0]);
    fd_close(pair[1]);
}

static void hurries(void **state)
{
    (void)state;
    run(hurry_main);
    assert_trace("wts");
}

/* ---- signals ---- */

static void on_signal(int signo, void *arg)
{
    note(signo == SIGUSR1 ? '1' : '2');
    waitq_wake_all(arg);
}

static void signal_main(void *arg)
{
    struct waitq q;
    struct err err;

    (void)arg;
    waitq_init(&q);
    assert_true(signal_watch(SIGUSR1, on_signal, &q, &err));
    assert_true(signal_watch(SIGUSR2, on_signal, &q, &err));
    (void)kill(getpid(), SIGUSR1);
    assert_true(waitq_wait(&q, deadline_in(SECONDS(10)), &err));
    (void)kill(getpid(), SIGUSR2);
    assert_true(waitq_wait(&q, deadline_in(SECONDS(10)), &err));
}

static void signals(void **state)
{
    sigset_t none;

    (void)state;
    run(signal_main);
    assert_trace("12");
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors),
        cmocka_unit_test(numbers_are_reused),
        cmocka_unit_test(unconnected_sockets),
        cmocka_unit_test(datagram_errors),
        cmocka_unit_test(regular_files_are_always_ready),
        cmocka_unit_test(listeners),
        cmocka_unit_test(children),
        cmocka_unit_test(hurries),
        cmocka_unit_test(signals),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    buf_done(&trace);
    return failed;
}
