/* How a daemon's life goes on and ends: what master is told, draining, stopping, retiring. */
#include "mail/service/test_support.h"

#include <signal.h>

static const struct service echo_service = {.name = "echo", .client = echo};
static const struct service agent_service = {.name = "agent", .client = echo, .flags = SERVICE_AGENT};
static const struct service finishing_service = {.name = "echo", .client = echo, .flags = SERVICE_FINISHES};
static const struct service multi_service = {.name = "multi", .client = echo, .flags = SERVICE_MULTI};

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
        if (i == 0)
            assert_int_equal(next_status(&c, 1000), 1); /* the start was good; never "taken" while there is room */
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

/* Postfix's master wants to hear both words; and where there is room for one only, so does ours. */
static void statuses_of_others(void **state)
{
    const char *const with_room = "multi -n three -t unix";
    const char *const single = "echo -l -t unix";
    struct child c = start(&multi_service, false, "unix", with_room);
    int fd = dial(&c);

    (void)state;
    assert_string_equal(ask(fd, "x\n", 5000), "x\n");
    assert_int_equal(next_status(&c, 1000), 0);
    assert_int_equal(next_status(&c, 1000), 1);
    (void)close(fd);
    assert_int_equal(end(&c), 0);
    c = start(&echo_service, true, "unix", single);
    fd = dial(&c);
    assert_string_equal(ask(fd, "x\n", 5000), "x\n");
    assert_int_equal(next_status(&c, 1000), 0);
    assert_int_equal(next_status(&c, 100), -1);
    (void)close(fd);
    assert_int_equal(next_status(&c, 1000), 1);
    assert_int_equal(end(&c), 0);
}

/* ---- draining ---- */

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

/* ---- stopping ---- */

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

/* ---- retiring ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_of_streams),
        cmocka_unit_test(statuses_of_others),
        cmocka_unit_test(drains),
        cmocka_unit_test(drain_has_an_end),
        cmocka_unit_test(deliveries_are_not_broken_off),
        cmocka_unit_test(what_is_begun_is_finished_at_a_stop),
        cmocka_unit_test(a_stop_has_an_end),
        cmocka_unit_test(retires),
        cmocka_unit_test(retires_after_shares),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
