#include "mail/events/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/attributes.h"
#include "core/base/file.h"

/* Runs SAY with the log on stdout into a pipe; TO gets the line without its time and process id. */
static void capture(void (*say)(void), char *to, size_t bytes, int *status)
{
    int ends[2];
    pid_t child;
    struct err err;
    AUTO_BUF struct buf all = BUF_INIT(100000);
    size_t from;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct log_config config = {.sink = LOG_SINK_STDOUT, .tag = "t", .host = "h"};

        (void)dup2(ends[1], STDOUT_FILENO);
        events_open(log_open(&config));
        say();
        _exit(0);
    }
    assert_int_equal(close(ends[1]), 0);
    assert_true(file_read_all(ends[0], &all, &err));
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(waitpid(child, status, 0), child);
    from = slice_find_slice(buf_slice(&all), S("]: "));
    assert_int_not_equal(from, SLICE_NONE);
    slice line = slice_trim_end(slice_skip(buf_slice(&all), from + 3));
    assert_true(text_from_slice(line, to, bytes));
}

static void say_local(void)
{
    event_received_local(&(struct event_received_local){.id = S("3F"), .uid = 7, .sender = S("root")});
}

static void say_requeued(void)
{
    event_received_local(&(struct event_received_local){.id = S("3F"), .uid = 7, .orig_id = S("2E")});
}

static void say_client(void)
{
    event_received_client(&(struct event_received_client){.id = S("NOQUEUE"), .client = S("c.example[192.0.2.1]")});
}

static void say_client_sasl(void)
{
    event_received_client(&(struct event_received_client){.id = S("3F"),
                                                          .client = S("unknown[192.0.2.1]"),
                                                          .sasl_method = S("PLAIN"),
                                                          .sasl_username = S("alice"),
                                                          .orig_queue_id = S("2E"),
                                                          .orig_client = S("x[y]")});
}

static void say_message_id(void)
{
    event_message_id(&(struct event_message_id){.id = S("3F"), .message_id = S("<a@b>")});
}

static void say_no_message_id(void)
{
    event_message_id(&(struct event_message_id){.id = S("3F"), .resent = true});
}

static void say_queued(void)
{
    event_queued(&(struct event_queued){.id = S("3F"), .sender = S("a b@example.com"), .size = 5000000000, .recipients = 2});
}

static void say_attempt(void)
{
    struct recipient r = {.original = S("alice"), .address = S("alice@mx.test.invalid")};
    struct message_times t = {1000000, 1030000, 1060000, 1060000, 1070000, 0};
    struct outcome o = {.kind = OUTCOME_DELIVERED, .dsn = {2, 0, 0}, .reason = S("delivered to mailbox"), .relay = S("local")};

    event_attempt(&(struct event_attempt){.id = S("3F"), .recipient = &r, .times = &t, .outcome = &o, .delay_digits = 2});
}

static void say_attempt_reused(void)
{
    struct recipient r = {.original = S("ALICE@example.com"), .address = S("alice@example.com")};
    struct message_times t = {1000000, 1000000, 1000000, 1000000, 1000000, 1};
    struct outcome o = {.kind = OUTCOME_DEFERRED, .dsn = {4, 4, 1}, .reason = S("two\nlines \x01")};

    event_attempt(&(struct event_attempt){.id = S("3F"), .recipient = &r, .times = &t, .outcome = &o, .delay_digits = 2});
}

static void say_deliverable(void)
{
    struct recipient r = {.address = S("\xc3\xa9@example.com")};
    struct message_times t = {1000000, 1000000, 1000000, 1000000, 1000000, 0};
    struct outcome o = {.dsn = {2, 0, 0}, .reason = S("delivers to mailbox"), .relay = S("local")};

    event_attempt(&(struct event_attempt){
        .id = S("3F"), .recipient = &r, .times = &t, .outcome = &o, .status_text = S("deliverable"), .delay_digits = 2});
}

static void say_removed(void)
{
    event_removed(S("3F"));
}

static void say_expired(void)
{
    event_expired(&(struct event_expired){.id = S("3F"), .sender = S("a@b")});
}

static void say_forced(void)
{
    event_expired(&(struct event_expired){.id = S("3F"), .forced = true});
}

static void say_notice(void)
{
    event_notice(&(struct event_notice){.id = S("3F"), .kind = "sender non-delivery notification", .new_id = S("40")});
}

static void say_lines(void)
{
    event_warning_lines(S("\nx 1\n"));
}

static void say_error_line(void)
{
    event_warning_lines(S("error: y 2\n"));
}

static void say_warning(void)
{
    event_warning("x %d", 1);
}

static void texts(void **state)
{
    static const struct {
        const char *name;
        void (*say)(void);
        const char *line;
    } rows[] = {
        {"local", say_local, "3F: uid=7 from=<root>"},
        {"requeued", say_requeued, "3F: uid=7 from=<> orig_id=2E"},
        {"client", say_client, "NOQUEUE: client=c.example[192.0.2.1]"},
        {"client with SASL", say_client_sasl,
         "3F: client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=alice, orig_queue_id=2E, orig_client=x[y]"},
        {"message-id", say_message_id, "3F: message-id=<a@b>"},
        {"no message-id", say_no_message_id, "3F: resent-message-id="},
        {"queued, quoted sender", say_queued, "3F: from=<\"a b\"@example.com>, size=5000000000, nrcpt=2 (queue active)"},
        {"delivered", say_attempt,
         "3F: to=<alice@mx.test.invalid>, orig_to=<alice>, relay=local, delay=0.07, delays=0.03/0.03/0/0.01, dsn=2.0.0, "
         "status=sent (delivered to mailbox)"},
        {"deferred, connection reused", say_attempt_reused,
         "3F: to=<alice@example.com>, relay=none, conn_use=2, delay=0, delays=0/0/0/0, dsn=4.4.1, status=deferred (two "
         "lines ?)"},
        {"probe, not ASCII", say_deliverable,
         "3F: to=<\xc3\xa9@example.com>, relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0, status=deliverable (delivers to "
         "mailbox)"},
        {"removed", say_removed, "3F: removed"},
        {"expired", say_expired, "3F: from=<a@b>, status=expired, returned to sender"},
        {"forced", say_forced, "3F: from=<>, status=force-expired, returned to sender"},
        {"notice", say_notice, "3F: sender non-delivery notification: 40"},
        {"warning", say_warning, "warning: x 1"},
        {"lines", say_lines, "warning: x 1"},
        {"error line", say_error_line, "error: y 2"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char line[1024];
        int status;

        print_message("%s\n", rows[i].name);
        capture(rows[i].say, line, sizeof line, &status);
        /* A delivery that has not ended is measured against now: only rows with an end compare whole. */
        assert_string_equal(line, rows[i].line);
        assert_int_equal(status, 0);
    }
}

static void say_fatal(void)
{
    events_set_fatal(69, false);
    event_fatal("%s is down", "mail");
}

static void fatal_ends(void **state)
{
    char line[100];
    int status;

    (void)state;
    capture(say_fatal, line, sizeof line, &status);
    assert_string_equal(line, "fatal: mail is down");
    assert_int_equal(WEXITSTATUS(status), 69);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(fatal_ends)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
