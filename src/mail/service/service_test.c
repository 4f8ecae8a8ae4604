/* Services: what is refused at start, how many sessions at once, triggers, packets, passed connections. */
#include "mail/service/test_support.h"

#include <sched.h>

/* ---- the daemons ---- */

/* "limit" and "endpoints" ask for the session limit and the connection's ends; the rest comes back. */
static bool answer(struct stream *s, slice line, struct err *err)
{
    struct endpoint client, server;
    char a[ENDPOINT_TEXT];

    if (slice_eq(line, S("endpoints")) && service_endpoints(s, &client, &server)) {
        endpoint_print(&client, a);
        return stream_printf(s, NEVER, err, "%s:%u to %u\n", a, endpoint_port(&client), endpoint_port(&server));
    }
    if (slice_eq(line, S("limit")))
        return stream_printf(s, NEVER, err, "%u\n", service_run()->session_limit);
    return answer_same(s, line, err);
}

static void talk(struct stream *s)
{
    converse(s, answer);
}

/* What triggers and packets say comes out of the flow pipe here. */
enum { FD_FLOW = 4 };

static void on_bytes(slice bytes)
{
    (void)!write(FD_FLOW, bytes.p, bytes.n);
}

static void on_triggers(slice bytes)
{
    char text[100];
    int n = snprintf(text, sizeof text, "%.*s.", S_ARG(bytes));

    on_bytes(slice_of(text, (size_t)n));
}

static const struct service echo_service = {.name = "echo", .client = talk};
static const struct service agent_service = {.name = "agent", .client = talk, .flags = SERVICE_AGENT};
static const struct service multi_service = {.name = "multi", .client = talk, .flags = SERVICE_MULTI};
static const struct service one_service = {.name = "one", .trigger = on_bytes, .instances = SERVICE_ONE};
static const struct service resident_service = {.name = "one", .trigger = on_bytes, .flags = SERVICE_NEVER_IDLES};
static const struct service patient_service = {
    .name = "one", .trigger = on_triggers, .flags = SERVICE_NEVER_IDLES, .trigger_pause_us = SECONDS(2)};
static const struct service unlimited_service = {.name = "unlimited", .client = talk, .instances = SERVICE_UNLIMITED};
static const struct service packet_service = {.name = "packet", .datagram = on_bytes, .flags = SERVICE_NEVER_IDLES};
static const struct service root_service = {.name = "root", .client = talk, .flags = SERVICE_PRIVILEGED};

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

/* ---- triggers and packets ---- */

static void triggers(void **state)
{
    const char *const argv = "one -l -t unix";
    const char *const fifo_argv = "one -l -t fifo";
    const char *const used_argv = "one -l -t fifo -m 2 -i 0"; /* else nothing would end it */
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

    /* Each trigger is a use. */
    c = start(&one_service, true, "fifo", used_argv);
    for (int i = 0; i < 2; i++) {
        fd = open(c.path, O_WRONLY | O_NONBLOCK);
        assert_int_equal(write(fd, "W", 1), 1);
        (void)close(fd);
        expect_bytes(&c, "W", 1);
    }
    assert_int_equal(wait_end(&c), 0);

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

static void send_trigger(const struct child *c, int *fd)
{
    *fd = dial(c);
    assert_int_equal(send(*fd, "W", 1, 0), 1);
    (void)shutdown(*fd, SHUT_WR);
}

/* The first is told at once, what comes within the pause at its end and together, and what waits when the process drains is
 * left to the next one. */
static void triggers_in_quick_succession(void **state)
{
    struct child c = start(&patient_service, true, "unix", "one -l -t unix");
    char got[10];
    int fds[4];

    (void)state;
    send_trigger(&c, &fds[0]);
    expect_bytes(&c, "W.", 2);
    send_trigger(&c, &fds[1]);
    send_trigger(&c, &fds[2]);
    assert_false(readable(c.flow_out, 500));
    expect_bytes(&c, "WW.", 3);
    send_trigger(&c, &fds[3]);
    assert_int_equal(end(&c), 0);
    assert_true(read(c.flow_out, got, sizeof got) <= 0);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        (void)close(fds[i]);
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
    assert_int_equal(next_status(&c, 1000), 1);
    assert_int_equal(next_status(&c, 100), -1);
    (void)close(fd);
    assert_int_equal(end(&c), 0);
}

/* ---- passed connections ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals), cmocka_unit_test(limits),  cmocka_unit_test(runs_as_batch_work),
        cmocka_unit_test(triggers), cmocka_unit_test(triggers_in_quick_succession),
        cmocka_unit_test(packets),  cmocka_unit_test(passed_connections),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
