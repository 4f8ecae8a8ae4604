/* The frame, between a queue manager and a bounce(8) that are played here. */
#include "mail/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/net/endpoint.h"
#include "mail/events/events.h"
#include "mail/proto/status.h"
#include "mail/service/service.h"

enum { RECIPIENTS = 2 };

static char directory[] = "/tmp/waybill-agent-XXXXXX";
static char told[200]; /* what the status services heard: "bounce:a@x:5.1.1 " */

struct ends {
    int agent, manager;
    agent_deliver_fn *deliver;
};

/* ---- bounce, defer, trace ---- */

struct played {
    const char *service;
    int listener;
    int64_t status;
};

static void play(void *arg)
{
    struct played *p = arg;
    struct err err;

    while (task_wait_listener(p->listener, NEVER, &err)) {
        AUTO_ARENA struct arena arena = ARENA_INIT(100000);
        AUTO_STREAM struct stream *s = stream_open(socket_accept(p->listener, NULL));
        struct status_append a;
        struct status_answer answer = {p->status};
        size_t n = strlen(told);

        if (!ipc_hello(s, STATUS_PROTOCOL, NEVER, &err) ||
            ipc_read(s, &status_append_shape, &arena, NEVER, &a, &err) != IPC_MESSAGE_READ ||
            !ipc_write(s, &status_answer_shape, &answer, NEVER, &err) || !stream_flush(s, NEVER, &err))
            continue;
        (void)snprintf(told + n, sizeof told - n, "%s:%.*s:%.*s ", p->service, S_ARG(a.recipient), S_ARG(a.status));
    }
}

/* ---- agents ---- */

static void all_delivered(struct agent_request *r)
{
    const struct outcome o = {.kind = OUTCOME_DELIVERED, .dsn = {2, 0, 0}, .reason = S("done")};

    agent_report_rest(r, &o);
}

static void all_bounced(struct agent_request *r)
{
    const struct outcome o = {.kind = OUTCOME_BOUNCED, .dsn = {5, 1, 1}, .reason = S("no such user")};

    agent_report_rest(r, &o);
    agent_report_rest(r, &o); /* heard once only */
}

static void one_forgotten(struct agent_request *r)
{
    const struct outcome o = {.kind = OUTCOME_DELIVERED, .dsn = {2, 0, 0}, .reason = S("done")};

    agent_report(r, 0, &o);
}

static void site_failed(struct agent_request *r)
{
    const struct outcome o = {.kind = OUTCOME_DEFERRED, .dsn = {4, 4, 1}, .reason = S("refused")};

    agent_destination_failed(r, &o);
    agent_report_rest(r, &o);
}

static void damaged(struct agent_request *r)
{
    const struct err err = {.kind = ERR_CORRUPT, .text = "bad record"};

    agent_unreadable(r, &err);
}

static void not_readable(struct agent_request *r)
{
    const struct err err = {.kind = ERR_SYS, .sys = EIO, .text = "read: Input/output error"};

    agent_unreadable(r, &err);
}

/* ---- one request ---- */

static void agent_task(void *arg)
{
    struct ends *e = arg;
    struct stream *s = stream_open(e->agent);

    agent_serve(s, e->deliver);
    stream_close(s);
}

static struct delivery_answer request(struct ends *e, int64_t flags, int64_t notify)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    AUTO_STREAM struct stream *s = stream_open(e->manager);
    char times[MESSAGE_TIMES_BYTES];
    struct delivery_answer answer = {.result = 99};
    struct err err;

    message_times_encode(&(struct message_times){.arrival_us = 1, .active_us = 2}, times);
    const struct delivery_request ask = {.flags = flags, .queue_name = S("active"), .queue_id = S("AB12"),
                                         .time = slice_of(times, sizeof times), .recipient_count = RECIPIENTS};
    assert_true(ipc_expect_hello(s, DELIVERY_PROTOCOL, NEVER, &err));
    assert_true(ipc_write(s, &delivery_request_shape, &ask, NEVER, &err));
    for (int i = 0; i < RECIPIENTS; i++) {
        const struct delivery_recipient r = {
            .recipient = i == 0 ? S("a@x") : S("b@x"), .offset = 1 + i, .notify_flags = notify};

        assert_true(ipc_write(s, &delivery_recipient_shape, &r, NEVER, &err));
    }
    assert_true(stream_flush(s, NEVER, &err));
    assert_int_equal(ipc_read(s, &delivery_answer_shape, &arena, NEVER, &answer, &err), IPC_MESSAGE_READ);
    assert_true(slice_eq(answer.reason, answer.status.n > 0 ? S("refused") : S("")));
    return answer;
}

static void make_file(void)
{
    int fd;

    (void)unlink("active/AB12"); /* of which a damaged one cannot be opened but by root */
    fd = open("active/AB12", O_WRONLY | O_CREAT | O_EXCL, 0700);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "-RR-", 4), 4);
    assert_int_equal(fchmod(fd, 0700), 0);
    assert_int_equal(close(fd), 0);
}

/* What it says, and a "!" when it is marked as corrupt. */
static void read_file(char to[6])
{
    int fd = open("active/AB12", O_RDONLY);
    struct stat st;

    memset(to, 0, 6);
    assert_int_equal(read(fd, to, 4), 4);
    assert_int_equal(fstat(fd, &st), 0);
    if ((st.st_mode & 0777) == 0400)
        to[4] = '!';
    assert_int_equal(close(fd), 0);
}

static const struct row {
    const char *name;
    agent_deliver_fn *deliver;
    int64_t flags, notify, bounce_status;
    bool soft;
    int64_t result;
    const char *marks, *told;
} rows[] = {
    {"delivered", all_delivered, 3, 0, 0, false, 0, "-DD-", ""},
    {"delivered, not to be marked", all_delivered, 2, 0, 0, false, 0, "-RR-", ""},
    {"delivered, sender wants to know", all_delivered, 3, NOTIFY_SUCCESS, 0, false, 0, "-DD-",
     "trace:a@x:2.0.0 trace:b@x:2.0.0 "},
    {"bounced", all_bounced, 3, 0, 0, false, 0, "-DD-", "bounce:a@x:5.1.1 bounce:b@x:5.1.1 "},
    {"bounced, NOTIFY=NEVER: for the postmaster", all_bounced, 3, NOTIFY_NEVER, 0, false, 0, "-DD-",
     "bounce:a@x:5.1.1 bounce:b@x:5.1.1 "},
    {"bounced, recorded", all_bounced, 3 | DELIVERY_RECORD, 0, 0, false, 0, "-DD-",
     "bounce:a@x:5.1.1 trace:a@x:5.1.1 bounce:b@x:5.1.1 trace:b@x:5.1.1 "},
    {"late, as the sender was warned", all_delivered, 3 | DELIVERY_LATE, 0, 0, false, 0, "-DD-",
     "trace:a@x:2.0.0 trace:b@x:2.0.0 "},
    {"late, no matter", all_delivered, 3 | DELIVERY_LATE, NOTIFY_FAILURE, 0, false, 0, "-DD-", ""},
    {"bounce refuses", all_bounced, 3, 0, -1, false, -1, "-RR-",
     "bounce:a@x:5.1.1 defer:a@x:4.1.1 bounce:b@x:5.1.1 defer:b@x:4.1.1 "},
    {"soft_bounce", all_bounced, 3, 0, 0, true, -1, "-RR-", "defer:a@x:4.1.1 defer:b@x:4.1.1 "},
    {"one forgotten", one_forgotten, 3, 0, 0, false, -1, "-DR-", "defer:b@x:4.3.0 "},
    {"site failed", site_failed, 3, 0, 0, false, -1, "-RR-", "defer:a@x:4.4.1 defer:b@x:4.4.1 "},
    {"damaged", damaged, 3, 0, 0, false, -1, "-RR-!", "defer:a@x:4.3.0 defer:b@x:4.3.0 "},
    {"not readable", not_readable, 3, 0, 0, false, -1, "-RR-", "defer:a@x:4.3.0 defer:b@x:4.3.0 "},
    {"probe by sendmail -bv", all_delivered, 3 | DELIVERY_USER_PROBE, 0, 0, false, 0, "-DD-",
     "trace:a@x:2.0.0 trace:b@x:2.0.0 "},
};

static void run_row(const struct row *row, struct played played[3])
{
    struct ends e = {.deliver = row->deliver};
    struct task_group g;
    struct err err;
    int pair[2];
    char marks[6];

    print_message("%s\n", row->name);
    make_file();
    told[0] = '\0';
    played[0].status = row->bounce_status;
    service_params()->soft_bounce = row->soft;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    e.agent = pair[0];
    e.manager = pair[1];
    group_init(&g);
    assert_true(group_spawn(&g, "agent", agent_task, &e, &err));
    assert_int_equal(request(&e, row->flags, row->notify).result, row->result);
    assert_true(group_wait(&g, deadline_in(SECONDS(5)), &err));
    read_file(marks);
    assert_string_equal(marks, row->marks);
    assert_string_equal(told, row->told);
}

static void body(void *arg)
{
    struct played played[3] = {{.service = "bounce"}, {.service = "defer"}, {.service = "trace"}};
    struct task_group g;
    struct err err;

    (void)arg;
    group_init(&g);
    for (int i = 0; i < 3; i++) {
        char path[50];

        (void)snprintf(path, sizeof path, "private/%s", played[i].service);
        played[i].listener = local_listen(path, 10, &err);
        assert_true(played[i].listener >= 0);
        assert_true(group_spawn(&g, "played", play, &played[i], &err));
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        run_row(&rows[i], played);
    group_cancel(&g);
    assert_true(group_wait(&g, deadline_in(SECONDS(5)), &err));
    for (int i = 0; i < 3; i++)
        fd_close(played[i].listener);
}

static void requests(void **state)
{
    struct err err;

    (void)state;
    assert_true(loop_run(body, NULL, &err));
}

static void codes_before_text(void **state)
{
    static const struct {
        const char *text, *rest;
        struct dsn_code code;
    } texts[] = {
        {"5.1.1 User unknown", "User unknown", {5, 1, 1}},
        {"5.1.1  two blanks", "two blanks", {5, 1, 1}},
        {"5.1.1", "", {5, 1, 1}},
        {"9.9.9 weird", "9.9.9 weird", {4, 0, 0}},
        {"x 5.1.1 y", "x 5.1.1 y", {4, 0, 0}},
        {"", "", {4, 0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct dsn_code code = {4, 0, 0};

        assert_true(slice_eq(agent_split_dsn(slice_text(texts[i].text), &code), slice_text(texts[i].rest)));
        assert_memory_equal(&code, &texts[i].code, sizeof code);
    }
}

static int set_up(void **state)
{
    const struct log_config quiet = {.sink = LOG_SINK_NONE};
    struct err err;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory) | mkdir("private", 0700) | mkdir("active", 0700), 0);
    fd = open("main.cf", O_WRONLY | O_CREAT, 0644);
    assert_true(file_write_all(fd, S("compatibility_level = 3.6\nmyhostname = mx.test\n"), &err));
    assert_int_equal(close(fd), 0);
    service_run()->params = params_load(directory, NULL, NULL, 0, &err);
    events_open(log_open(&quiet));
    return service_run()->params == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    params_free(service_run()->params);
    return unlink("active/AB12") | unlink("private/bounce") | unlink("private/defer") | unlink("private/trace") |
           unlink("main.cf") | rmdir("private") | rmdir("active") | rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(requests), cmocka_unit_test(codes_before_text)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
