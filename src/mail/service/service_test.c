/* Daemons under a master that is played here. */
#include "mail/service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "core/base/file.h"

static char directory[] = "/tmp/waybill-service-XXXXXX";

/* ---- the daemons ---- */

static void want_token(void *unused)
{
    struct err err;

    (void)unused;
    (void)!flow_wait(SECONDS(300), &err);
}

static int flow_feed; /* from the child, too: where tokens come from */

/* A waiter is cancelled after its token has come and before it goes on. */
static void cancel_waiter(void)
{
    struct task_group waiter;
    struct err err;

    group_init(&waiter);
    assert_true(group_spawn(&waiter, "waiter", want_token, NULL, &err));
    assert_true(task_yield(&err)); /* it waits */
    assert_int_equal(write(flow_feed, "", 1), 1);
    while (flow_count() > 0)
        assert_true(task_yield(&err));
    group_cancel(&waiter);
    assert_true(group_wait(&waiter, NEVER, &err));
}

/* Echoes lines; "endpoints" is answered with the connection's ends. */
static void echo(struct stream *s)
{
    struct endpoint client, server;
    char a[ENDPOINT_TEXT];
    slice line;
    struct err err;

    while (stream_read_line(s, 100, NEVER, &line, &err) == STREAM_BARE_LF) {
        bool ok;

        if (slice_eq(line, S("endpoints")) && service_endpoints(s, &client, &server)) {
            endpoint_print(&client, a);
            ok = stream_printf(s, NEVER, &err, "%s:%u to %u\n", a, endpoint_port(&client), endpoint_port(&server));
        } else if (slice_eq(line, S("limit"))) {
            ok = stream_printf(s, NEVER, &err, "%u\n", service_run()->session_limit);
        } else if (slice_eq(line, S("flow"))) {
            unsigned count = flow_count();

            flow_take(2);
            ok = stream_printf(s, NEVER, &err, "%u %u\n", count, flow_count());
        } else if (slice_eq(line, S("wait"))) {
            ok = stream_printf(s, NEVER, &err, "%d\n", flow_wait(SECONDS(300), &err));
        } else if (slice_eq(line, S("cancel"))) {
            cancel_waiter();
            ok = stream_write(s, S("done\n"), NEVER, &err);
        } else if (slice_eq(line, S("wait a little"))) {
            int64_t since_us = clock_monotonic_us();

            ok = flow_wait(MILLIS(50), &err) &&
                 stream_printf(s, NEVER, &err, "%d\n", clock_monotonic_us() - since_us >= MILLIS(50));
        } else {
            ok = stream_printf(s, NEVER, &err, "%.*s\n", S_ARG(line));
        }
        service_answered();
        if (!ok || !stream_flush(s, NEVER, &err))
            return;
    }
}

/* What triggers and packets say comes out of the flow pipe here. */
enum { FD_FLOW = 4 };

static void on_bytes(slice bytes)
{
    (void)!write(FD_FLOW, bytes.p, bytes.n);
}

static const struct service echo_service = {.name = "echo", .client = echo};
static const struct service agent_service = {.name = "agent", .client = echo, .flags = SERVICE_AGENT};
static const struct service finishing_service = {.name = "echo", .client = echo, .flags = SERVICE_FINISHES};
static const struct service multi_service = {.name = "multi", .client = echo, .flags = SERVICE_MULTI};
static const struct service one_service = {.name = "one", .trigger = on_bytes, .instances = SERVICE_ONE};
static const struct service resident_service = {.name = "one", .trigger = on_bytes, .flags = SERVICE_NEVER_IDLES};
static const struct service unlimited_service = {.name = "unlimited", .client = echo, .instances = SERVICE_UNLIMITED};
static const struct service packet_service = {.name = "packet", .datagram = on_bytes, .flags = SERVICE_NEVER_IDLES};
static const struct service root_service = {.name = "root", .client = echo, .flags = SERVICE_PRIVILEGED};

/* ---- master ---- */

struct child {
    pid_t pid;
    int status, flow_in, flow_out, errors;
    char path[100];
};

static int high(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 100);

    assert_true(copy >= 0);
    assert_int_equal(close(fd), 0);
    return copy;
}

static int make_listener(const char *type, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int kind = strcmp(type, "unix-dgram") == 0 ? SOCK_DGRAM : SOCK_STREAM, fd;
    struct err err;

    (void)unlink(path);
    if (strcmp(type, "fifo") == 0) {
        assert_int_equal(mkfifo(path, 0622), 0);
        return open(path, O_RDWR | O_NONBLOCK);
    }
    if (kind == SOCK_STREAM)
        return local_listen(path, 100, &err);
    assert_true(text_from_slice(slice_text(path), at.sun_path, sizeof at.sun_path));
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void become(const struct service *service, int flow[2], int status, int listener, int errors,
                   const char *command)
{
    char *words = xstrndup(command, strlen(command)), *argv[16] = {NULL};
    int argc = 0, null = open("/dev/null", O_RDWR);

    for (char *at = words; at != NULL && argc < 15;) {
        argv[argc++] = at;
        at = strchr(at, ' ');
        if (at != NULL)
            *at++ = '\0';
    }
    (void)dup2(null, 0);
    (void)dup2(null, 1);
    (void)dup2(errors, 2);
    (void)dup2(flow[0], 3);
    (void)dup2(flow[1], 4);
    (void)dup2(status, 5);
    (void)dup2(listener, 6);
    (void)setenv("GENERATION", "12", 1); /* octal */
    _exit(service_main(service, argc, argv));
}

/* OUR_MASTER: with the mark of our own master. */
static struct child start(const struct service *service, bool our_master, const char *type, const char *command)
{
    struct child c = {0};
    int flow[2], flow_back[2], status[2], errors[2], listener;

    (void)snprintf(c.path, sizeof c.path, "%s/socket", directory);
    listener = high(make_listener(type, c.path));
    assert_int_equal(pipe2(flow, O_NONBLOCK), 0);
    assert_int_equal(pipe2(flow_back, O_NONBLOCK), 0);
    assert_int_equal(pipe(errors), 0);
    assert_int_equal(socketpair(AF_UNIX, our_master ? SOCK_SEQPACKET : SOCK_STREAM, 0, status), 0);
    for (int i = 0; i < 2; i++) {
        flow[i] = high(flow[i]);
        flow_back[i] = high(flow_back[i]);
        status[i] = high(status[i]);
        errors[i] = high(errors[i]);
    }
    flow_feed = flow[1];
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0)
        become(service, (int[2]){flow[0], flow_back[1]}, status[1], listener, errors[1], command);
    assert_int_equal(close(flow[0]) | close(flow_back[1]) | close(status[1]) | close(errors[1]) | close(listener), 0);
    c.status = status[0];
    c.flow_in = flow[1];
    c.flow_out = flow_back[0];
    c.errors = errors[0];
    return c;
}

static bool readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) == 1;
}

/* The next status message: 1 available, 0 taken, -1 none within a moment. */
static int next_status(const struct child *c, int ms)
{
    int message[3] = {0};

    if (!readable(c->status, ms) || read(c->status, message, sizeof message) != (ssize_t)sizeof message)
        return -1;
    assert_int_equal(message[0], c->pid);
    assert_int_equal(message[1], 10);
    return message[2];
}

static int wait_end(struct child *c)
{
    int status = 0;

    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    (void)close(c->status);
    (void)close(c->flow_in);
    (void)close(c->flow_out);
    (void)close(c->errors);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Closes the status channel, as master does at reload and stop. */
static int end(struct child *c)
{
    (void)shutdown(c->status, SHUT_RDWR);
    (void)close(c->status);
    c->status = -1;
    return wait_end(c);
}

static int dial(const struct child *c)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_true(text_from_slice(slice_text(c->path), to.sun_path, sizeof to.sun_path));
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Sends QUESTION and returns the answer; NULL: none came in time. */
static const char *ask(int fd, const char *question, int ms)
{
    static char answer[200];
    ssize_t n;

    assert_int_equal(send(fd, question, strlen(question), MSG_NOSIGNAL), (ssize_t)strlen(question));
    if (!readable(fd, ms) || (n = read(fd, answer, sizeof answer - 1)) <= 0)
        return NULL;
    answer[n] = '\0';
    return answer;
}

/* ---- refusals ---- */

static void refusals(void **state)
{
    static const struct {
        const char *name;
        const struct service *service;
        const char *command;
        const char *text;
    } rows[] = {
        {"bad option", &echo_service, "echo -V -Q", "echo: fatal: invalid option: Q\n"},
        {"no type", &echo_service, "echo -V", "echo: fatal: no transport type specified\n"},
        {"bad type", &echo_service, "echo -V -t foo", "echo: fatal: unsupported transport type: foo\n"},
        {"argument", &echo_service, "echo -V -t unix x", "echo: fatal: unexpected command-line argument: x\n"},
        {"not -l", &one_service, "one -V -t unix", "one: fatal: service one requires a process limit of 1\n"},
        {"not -z", &unlimited_service, "unlimited -V -t unix -n other",
         "unlimited: fatal: service other requires a process limit of 0\n"},
        {"-u", &root_service, "root -V -t unix -u", "root: fatal: service root requires privileged operation\n"},
        {"sockets missing", &echo_service, "echo -V -t unix -s 5", "echo: fatal: do not run this command by hand\n"},
    };
    struct child children[COUNT_OF(rows)];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        children[i] = start(rows[i].service, true, "unix", rows[i].command);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[500] = "";
        ssize_t n;

        print_message("%s\n", rows[i].name);
        assert_true(readable(children[i].errors, 5000));
        n = read(children[i].errors, text, sizeof text - 1);
        assert_true(n > 0);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(wait_end(&children[i]), 1);
    }
}

/* ---- limits ---- */

static void limits(void **state)
{
    static const struct {
        const char *name;
        const struct service *service;
        bool our_master;
        const char *command;
        const char *limit;
    } rows[] = {
        {"-l", &echo_service, true, "echo -l -t unix", "1\n"},
        {"-z", &echo_service, true, "echo -z -t unix", "1000\n"},
        {"step", &echo_service, true, "echo -z -t unix -o worker_session_step=7", "7\n"},
        {"explicit", &echo_service, true, "echo -n three -t unix", "3\n"},
        {"explicit, other master", &echo_service, false, "echo -n three -t unix", "1\n"},
        {"not in master.cf", &echo_service, true, "echo -t unix", "1000\n"},
        {"not in master.cf, other master", &echo_service, false, "echo -t unix", "1000\n"},
        {"default", &echo_service, true, "echo -n open -t unix", "1000\n"},
        {"default set", &echo_service, true, "echo -n open -t unix -o default_process_limit=50", "50\n"},
        {"agent", &agent_service, true, "agent -n open -t unix", "100\n"},
        {"agent, other master", &agent_service, false, "agent -n open -t unix", "1\n"},
        {"multi", &multi_service, false, "multi -n three -t unix", "1000\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct child c = start(rows[i].service, rows[i].our_master, "unix", rows[i].command);
        int fd = dial(&c);
        const char *answer = ask(fd, "limit\n", 5000);

        print_message("%s\n", rows[i].name);
        assert_non_null(answer);
        assert_string_equal(answer, rows[i].limit);
        (void)close(fd);
        assert_int_equal(end(&c), 0);
    }
}

/* ---- the processor ---- */

/* Helper threads and everything else that is started later inherit it. */
static void runs_as_batch_work(void **state)
{
    struct child c = start(&echo_service, true, "unix", "echo -n three -t unix");
    int fd = dial(&c);

    (void)state;
    assert_string_equal(ask(fd, "x\n", 5000), "x\n");
    assert_int_equal(sched_getscheduler(c.pid), SCHED_BATCH);
    (void)close(fd);
    assert_int_equal(end(&c), 0);
}

/* ---- what master is told ---- */

static void statuses_of_streams(void **state)
{
    const char *const argv = "echo -n three -t unix";
    struct child c = start(&echo_service, true, "unix", argv);
    int fds[4];

    (void)state;
    assert_int_equal(next_status(&c, 200), -1);
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(&c);
        assert_string_equal(ask(fds[i], "x\n", 5000), "x\n");
        if (i == 0) { /* the first one says that the start was good */
            assert_int_equal(next_status(&c, 1000), 0);
            assert_int_equal(next_status(&c, 1000), 1);
        }
    }
    assert_int_equal(next_status(&c, 1000), 0); /* full */
    assert_int_equal(next_status(&c, 100), -1);
    fds[3] = dial(&c);
    assert_null(ask(fds[3], "x\n", 200)); /* left to another worker */
    (void)close(fds[0]);
    assert_int_equal(next_status(&c, 1000), 1);
    assert_int_equal(next_status(&c, 1000), 0); /* the fourth comes in */
    assert_true(readable(fds[3], 1000));
    for (int i = 1; i < 4; i++)
        (void)close(fds[i]);
    assert_int_equal(next_status(&c, 1000), 1);
    assert_int_equal(next_status(&c, 100), -1);
    assert_int_equal(end(&c), 0);
}

static void drains(void **state)
{
    const char *const argv = "echo -t unix";
    struct child c = start(&echo_service, true, "unix", argv);
    int fd = dial(&c), late, status;

    (void)state;
    assert_string_equal(ask(fd, "x\n", 5000), "x\n");
    (void)shutdown(c.status, SHUT_RDWR);
    assert_false(readable(fd, 300));
    assert_int_equal(waitpid(c.pid, &status, WNOHANG), 0);
    assert_string_equal(ask(fd, "still\n", 5000), "still\n");
    late = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)close(late);
    (void)close(fd);
    assert_int_equal(wait_end(&c), 0);
}

static void drain_has_an_end(void **state)
{
    const char *const argv = "echo -t unix -o drain_time_limit=1s";
    const char *const multi_argv = "multi -t unix";
    struct child c = start(&echo_service, true, "unix", argv);
    int fd = dial(&c);

    (void)state;
    assert_string_equal(ask(fd, "x\n", 5000), "x\n");
    assert_int_equal(end(&c), 0);
    (void)close(fd);
    c = start(&multi_service, true, "unix", multi_argv);
    fd = dial(&c);
    assert_string_equal(ask(fd, "x\n", 5000), "x\n");
    assert_int_equal(end(&c), 0);
    (void)close(fd);
}

/* A command may take longer than that, and would be run again. */
static void deliveries_are_not_broken_off(void **state)
{
    struct child c = start(&agent_service, true, "unix", "agent -t unix -o drain_time_limit=1s");
    int fd = dial(&c);

    (void)state;
    assert_string_equal(ask(fd, "x\n", 5000), "x\n");
    (void)shutdown(c.status, SHUT_RDWR);
    assert_false(readable(fd, 1500));
    assert_string_equal(ask(fd, "still\n", 5000), "still\n");
    (void)close(fd);
    assert_int_equal(wait_end(&c), 0);
}

static void what_is_begun_is_finished_at_a_stop(void **state)
{
    struct child c = start(&finishing_service, true, "unix", "echo -t unix");
    int fd = dial(&c);

    (void)state;
    assert_string_equal(ask(fd, "x\n", 5000), "x\n");
    (void)kill(c.pid, SIGTERM);
    assert_false(readable(fd, 100));
    assert_string_equal(ask(fd, "still\n", 5000), "still\n");
    (void)close(fd);
    assert_int_equal(wait_end(&c), 0);
}

/* But not for ever, and not when the others have been ended too. */
static void a_stop_has_an_end(void **state)
{
    struct child c = start(&finishing_service, true, "unix", "echo -t unix -o stop_time_limit=1s");
    int fd = dial(&c);

    (void)state;
    assert_string_equal(ask(fd, "x\n", 5000), "x\n");
    (void)kill(c.pid, SIGTERM);
    assert_int_equal(wait_end(&c), 0);
    (void)close(fd);
    c = start(&finishing_service, false, "unix", "echo -t unix");
    fd = dial(&c);
    assert_string_equal(ask(fd, "x\n", 5000), "x\n");
    (void)kill(c.pid, SIGTERM);
    assert_int_equal(wait_end(&c), 1000 + SIGTERM);
    (void)close(fd);
}

/* Sessions at a time are shares of a use: 1 + 1/2 + 1/3, and 1 after that. */
static void retires_after_shares(void **state)
{
    const char *const used = "echo -t unix -m 2";
    struct child c = start(&echo_service, true, "unix", used);
    int fds[3], fd;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = dial(&c);
        assert_string_equal(ask(fds[i], "x\n", 5000), "x\n");
    }
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        (void)close(fds[i]);
    (void)usleep(1300 * 1000); /* it would have ended by then */
    fd = dial(&c);
    assert_string_equal(ask(fd, "x\n", 5000), "x\n");
    (void)close(fd);
    assert_int_equal(wait_end(&c), 0);
}

static void retires(void **state)
{
    const char *const idle = "echo -t unix -i 1";
    const char *const used = "echo -t unix -m 2";
    const char *const multi = "multi -t unix -i 1";
    struct child c = start(&echo_service, true, "unix", idle);
    int fd;

    (void)state;
    assert_int_equal(wait_end(&c), 0);
    c = start(&echo_service, true, "unix", used);
    for (int i = 0; i < 3; i++) {
        fd = dial(&c);
        assert_string_equal(ask(fd, "x\n", 5000), "x\n");
        (void)close(fd);
    }
    assert_int_equal(wait_end(&c), 0);
    /* An idle client does not keep it. */
    c = start(&multi_service, true, "unix", multi);
    fd = dial(&c);
    assert_string_equal(ask(fd, "x\n", 5000), "x\n");
    assert_int_equal(wait_end(&c), 0);
    (void)close(fd);
}

/* ---- triggers and packets ---- */

static void expect_bytes(const struct child *c, const char *bytes, size_t n)
{
    char got[100] = "";

    assert_true(readable(c->flow_out, 5000));
    assert_int_equal(read(c->flow_out, got, sizeof got), (ssize_t)n);
    assert_memory_equal(got, bytes, n);
}

static void triggers(void **state)
{
    const char *const argv = "one -l -t unix";
    const char *const fifo_argv = "one -l -t fifo";
    struct child c = start(&one_service, true, "unix", argv);
    int fd = dial(&c);
    char unused;

    (void)state;
    assert_int_equal(next_status(&c, 1000), 0); /* before the bytes are read */
    assert_int_equal(send(fd, "W", 2, 0), 2);
    expect_bytes(&c, "W", 2);
    assert_int_equal(next_status(&c, 1000), 1);
    assert_int_equal(read(fd, &unused, 1), 0);
    (void)close(fd);
    assert_int_equal(end(&c), 0);

    c = start(&one_service, true, "fifo", fifo_argv);
    for (int i = 0; i < 2; i++) {
        fd = open(c.path, O_WRONLY | O_NONBLOCK);
        assert_int_equal(write(fd, "W", 1), 1);
        (void)close(fd);
        expect_bytes(&c, "W", 1);
        assert_int_equal(next_status(&c, 1000), 0);
        assert_int_equal(next_status(&c, 1000), 1);
    }
    assert_int_equal(end(&c), 0);

    /* One that stays for ever need not say more than once that it works. */
    c = start(&resident_service, true, "unix", argv);
    for (int i = 0; i < 2; i++) {
        fd = dial(&c);
        assert_int_equal(send(fd, "W", 2, 0), 2);
        expect_bytes(&c, "W", 2);
        assert_int_equal(read(fd, &unused, 1), 0);
        (void)close(fd);
    }
    assert_int_equal(next_status(&c, 1000), 0);
    assert_int_equal(next_status(&c, 1000), 1);
    assert_int_equal(next_status(&c, 100), -1);
    assert_int_equal(end(&c), 0);
}

static void packets(void **state)
{
    const char *const argv = "packet -l -t unix-dgram";
    struct child c = start(&packet_service, true, "unix-dgram", argv);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    (void)state;
    assert_true(text_from_slice(slice_text(c.path), to.sun_path, sizeof to.sun_path));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sendto(fd, "line", 4, 0, (const struct sockaddr *)&to, sizeof to), 4);
        expect_bytes(&c, "line", 4);
    }
    assert_int_equal(next_status(&c, 1000), 0);
    assert_int_equal(next_status(&c, 1000), 1);
    assert_int_equal(next_status(&c, 100), -1);
    (void)close(fd);
    assert_int_equal(end(&c), 0);
}

/* ---- the rest ---- */

static void pass(int over, int fd)
{
    char nul = '\0', room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {&nul, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *h = CMSG_FIRSTHDR(&message);

    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &fd, sizeof fd);
    assert_int_equal(sendmsg(over, &message, 0), 1);
}

static void passed_connections(void **state)
{
    static const char names[] = "client_address\000192.0.2.9\0client_port\00025000\0other\0x\0"
                                "server_address\000192.0.2.1\0server_port\00025\0";
    const char *const argv = "echo -t pass";
    struct child c = start(&echo_service, true, "pass", argv);
    int fd = dial(&c), pair[2];
    char unused;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    pass(fd, pair[1]);
    assert_int_equal(close(pair[1]), 0);
    assert_int_equal(send(fd, names, sizeof names, 0), (ssize_t)sizeof names);
    assert_int_equal(read(fd, &unused, 1), 0); /* taken over */
    assert_string_equal(ask(pair[0], "endpoints\n", 5000), "192.0.2.9:25000 to 25\n");
    (void)close(pair[0]);
    (void)close(fd);
    assert_int_equal(end(&c), 0);
}

static void flow_tokens(void **state)
{
    const char *const argv = "echo -t unix";
    struct child c = start(&echo_service, true, "unix", argv);
    int fd = dial(&c);

    (void)state;
    assert_int_equal(write(c.flow_in, "\0\0\0", 3), 3);
    assert_string_equal(ask(fd, "flow\n", 5000), "3 1\n");
    assert_string_equal(ask(fd, "wait\n", 5000), "1\n");
    assert_string_equal(ask(fd, "wait a little\n", 5000), "1\n");
    assert_string_equal(ask(fd, "cancel\n", 5000), "done\n");
    expect_bytes(&c, "", 1);
    (void)close(fd);
    assert_int_equal(end(&c), 0);
}

/* A token lets one go, and leaves the other waiting. */
static void flow_waits(void **state)
{
    const char *const argv = "echo -t unix";
    struct child c = start(&echo_service, true, "unix", argv);
    int fds[2] = {dial(&c), dial(&c)};
    int first;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        assert_string_equal(ask(fds[i], "x\n", 5000), "x\n"); /* it is there */
        assert_int_equal(write(fds[i], "wait\n", 5), 5);
    }
    assert_int_equal(write(c.flow_in, "\0", 1), 1);
    first = readable(fds[0], 5000) ? 0 : 1;
    assert_string_equal(ask(fds[first], "", 5000), "1\n");
    assert_false(readable(fds[1 - first], 100));
    assert_int_equal(write(c.flow_in, "\0", 1), 1);
    assert_string_equal(ask(fds[1 - first], "", 5000), "1\n");
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(end(&c), 0);
}

/* However many tokens come at a time, all who wait go on. */
static void flow_lets_many_go(void **state)
{
    enum { MANY = 300 };
    static const char tokens[MANY];
    const char *const argv = "echo -t unix -z";
    struct child c = start(&unlimited_service, true, "unix", argv);
    int fds[MANY];

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        fds[i] = dial(&c);
        assert_string_equal(ask(fds[i], "x\n", 5000), "x\n"); /* it is there */
        assert_int_equal(write(fds[i], "wait\n", 5), 5);
    }
    assert_int_equal(write(c.flow_in, tokens, MANY), MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_string_equal(ask(fds[i], "", 5000), "1\n");
        (void)close(fds[i]);
    }
    assert_int_equal(end(&c), 0);
}

static int set_up(void **state)
{
    AUTO_BUF struct buf main_cf = BUF_INIT(10000);
    char path[100];
    struct err err;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)buf_addf(&main_cf,
                   "queue_directory = %s\ncompatibility_level = 3.6\nmail_owner = root\nmyhostname = mx.test\n",
                   directory);
    (void)snprintf(path, sizeof path, "%s/main.cf", directory);
    fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(file_write_all(fd, buf_slice(&main_cf), &err));
    (void)close(fd);
    (void)snprintf(path, sizeof path, "%s/master.cf", directory);
    fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(file_write_all(fd, S("three unix - - n - 3 echo\nopen unix - - n - - echo\n"), &err));
    (void)close(fd);
    return setenv("MAIL_CONFIG", directory, 1);
}

static int tear_down(void **state)
{
    static const char *const names[] = {"main.cf", "master.cf", "socket"};
    char path[100];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(limits),
        cmocka_unit_test(runs_as_batch_work),
        cmocka_unit_test(statuses_of_streams),
        cmocka_unit_test(drains),
        cmocka_unit_test(drain_has_an_end),
        cmocka_unit_test(deliveries_are_not_broken_off),
        cmocka_unit_test(what_is_begun_is_finished_at_a_stop),
        cmocka_unit_test(a_stop_has_an_end),
        cmocka_unit_test(retires),
        cmocka_unit_test(retires_after_shares),
        cmocka_unit_test(triggers),
        cmocka_unit_test(packets),
        cmocka_unit_test(passed_connections),
        cmocka_unit_test(flow_tokens),
        cmocka_unit_test(flow_waits),
        cmocka_unit_test(flow_lets_many_go),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
