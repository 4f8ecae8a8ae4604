/* Tokens of in_flow_delay: counted, taken, waited for. */
#include "mail/service/test_support.h"

#include "core/base/clock.h"

/* ---- the daemons ---- */

static void want_token(void *unused)
{
    struct err err;

    (void)unused;
    (void)!flow_wait(SECONDS(300), &err);
}

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

/* "flow" takes two tokens and says how many were there and are left; "wait", "wait a little" and "cancel" wait for one;
 * the rest comes back. */
static bool answer(struct stream *s, slice line, struct err *err)
{
    if (slice_eq(line, S("flow"))) {
        unsigned count = flow_count();

        flow_take(2);
        return stream_printf(s, NEVER, err, "%u %u\n", count, flow_count());
    }
    if (slice_eq(line, S("wait")))
        return stream_printf(s, NEVER, err, "%d\n", flow_wait(SECONDS(300), err));
    if (slice_eq(line, S("wait a little"))) {
        int64_t since_us = clock_monotonic_us();

        return flow_wait(MILLIS(50), err) &&
               stream_printf(s, NEVER, err, "%d\n", clock_monotonic_us() - since_us >= MILLIS(50));
    }
    if (slice_eq(line, S("cancel"))) {
        cancel_waiter();
        return stream_write(s, S("done\n"), NEVER, err);
    }
    return answer_same(s, line, err);
}

static void talk(struct stream *s)
{
    converse(s, answer);
}

static const struct service echo_service = {.name = "echo", .client = talk};
static const struct service unlimited_service = {.name = "unlimited", .client = talk, .instances = SERVICE_UNLIMITED};

/* ---- tokens ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flow_tokens),
        cmocka_unit_test(flow_waits),
        cmocka_unit_test(flow_lets_many_go),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
