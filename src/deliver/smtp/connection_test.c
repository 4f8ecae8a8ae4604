#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/cut.h"
#include "deliver/smtp/cache.h"
#include "deliver/smtp/connect.h"

/* A server that follows a script: "S:text" says a line, "C:text" expects one, "CLOSE" hangs up, "HANG" says nothing
 * more. */
static struct {
    const char *const *script;
    int listener;
} peer;

static bool play_line(struct stream *s, slice line)
{
    struct err err;
    slice heard;

    if (cut_prefix(&line, S("S:")))
        return stream_printf(s, NEVER, &err, "%.*s\r\n", S_ARG(line)) && stream_flush(s, NEVER, &err);
    if (cut_prefix(&line, S("C:"))) {
        if (stream_read_line(s, 1000, NEVER, &heard, &err) != STREAM_LINE)
            return false;
        if (!slice_eq(heard, line))
            fail_msg("heard \"%.*s\", not \"%.*s\"", S_ARG(heard), S_ARG(line));
        return true;
    }
    if (slice_eq(line, S("HANG")))
        (void)!task_sleep(NEVER, &err);
    return false;
}

static void serve(void *arg)
{
    struct err err;

    (void)arg;
    while (task_wait_listener(peer.listener, NEVER, &err)) {
        int fd = socket_accept(peer.listener, NULL);

        if (fd < 0)
            continue;
        AUTO_STREAM struct stream *s = stream_open(fd);
        for (const char *const *line = peer.script; play_line(s, slice_text(*line)); line++)
            if (line[1] == NULL) {
                (void)!task_sleep(NEVER, &err); /* stays connected */
                return;
            }
    }
}

static struct params params = {.myhostname = "client.example"};

static struct settings usual(void)
{
    return (struct settings){
        .connect_timeout_us = SECONDS(5),
        .hello_timeout_us = MILLIS(300),
        .quit_timeout_us = MILLIS(300),
        .connection_cache_time_limit_us = SECONDS(5),
        .connection_reuse_time_limit_us = SECONDS(300),
        .skip_quit_response = true,
        .skip_5xx_greeting = true,
        .bind_address = "",
        .bind_address6 = "",
        .discard_keywords = "",
        .pix_workarounds = "",
        .prefix = "smtp",
        .hello_name = "client.example",
        .hello_verb = "EHLO",
        .params = &params,
    };
}

/* Runs FN in a task while a server plays SCRIPT. */
static void with_peer(const char *const *script, task_fn *fn, void *arg)
{
    char path[] = "/tmp/smtp-peer.XXXXXX", socket_path[60];
    struct task_group group;
    struct err err;

    assert_non_null(mkdtemp(path));
    (void)snprintf(socket_path, sizeof socket_path, "%s/socket", path);
    peer.script = script;
    peer.listener = local_listen(socket_path, 10, &err);
    assert_true(peer.listener >= 0);
    assert_int_equal(chdir(path), 0);
    group_init(&group);
    assert_true(group_spawn(&group, "peer", serve, NULL, &err));
    fn(arg);
    group_cancel(&group);
    assert_true(group_wait(&group, NEVER, &err));
    fd_close(peer.listener);
    assert_int_equal(unlink(socket_path), 0);
    assert_int_equal(rmdir(path), 0);
}

static struct connection *connect_now(const struct settings *settings, struct arena *arena, struct outcome *why)
{
    static const struct destination d = {.text = S_INIT("there")};
    const struct target t = {.host = S("there"), .path = S("socket")};

    const struct errand errand = {.queue_id = S("QUEUEID"), .arena = arena};

    return connection_open(&d, &t, settings, &errand, why);
}

/* ---- greetings ---- */

static const struct row {
    const char *name;
    const char *script[8];
    bool open;
    unsigned features;
    struct dsn_code dsn;
    const char *reason; /* of what is not open: its end */
    bool lmtp;
} rows[] = {
    {"ehlo", {"S:220 hi", "C:EHLO client.example", "S:250-hi", "S:250 SIZE 10"}, true, HAS_SIZE, {0}, NULL, false},
    {"helo",
     {"S:220 hi", "C:EHLO client.example", "S:500 no", "C:HELO client.example", "S:250 hi"},
     true,
     0,
     {0},
     NULL,
     false},
    {"ehlo 4xx",
     {"S:220 hi", "C:EHLO client.example", "S:450 no", "C:HELO client.example", "S:250 hi"},
     true,
     0,
     {0},
     NULL,
     false},
    {"ehlo 421",
     {"S:220 hi", "C:EHLO client.example", "S:421 4.3.2 no", "C:QUIT"},
     false,
     0,
     {4, 3, 2},
     "refused to talk to me: 421 4.3.2 no",
     false},
    {"greeting 5xx is about the server",
     {"S:554 5.7.1 no", "C:QUIT"},
     false,
     0,
     {4, 7, 1},
     "refused to talk to me: 554 5.7.1 no",
     false},
    {"helo 5xx is about the mail",
     {"S:220 hi", "C:EHLO client.example", "S:500 no", "C:HELO client.example", "S:550 5.7.1 no", "C:QUIT"},
     false,
     0,
     {5, 7, 1},
     "refused to talk to me: 550 5.7.1 no",
     false},
    {"closed at once",
     {"CLOSE"},
     false,
     0,
     {4, 4, 2},
     "lost connection with there[socket] while receiving the initial server greeting",
     false},
    {"closed at ehlo",
     {"S:220 hi", "C:EHLO client.example", "CLOSE"},
     false,
     0,
     {4, 4, 2},
     "lost connection with there[socket] while performing the EHLO handshake",
     false},
    {"silent", {"HANG"}, false, 0, {4, 4, 2}, "timed out while receiving the initial server greeting", false},
    {"half a line",
     {"S:220-hi", "HANG"},
     false,
     0,
     {4, 4, 2},
     "timed out while receiving the initial server greeting",
     false},
    {"lmtp", {"S:220 hi", "C:LHLO client.example", "S:250-hi", "S:250 DSN"}, true, HAS_DSN, {0}, NULL, true},
    {"lmtp knows no helo",
     {"S:220 hi", "C:LHLO client.example", "S:500 no", "C:QUIT"},
     false,
     0,
     {5, 0, 0},
     "refused to talk to me: 500 no",
     true},
};

static void greet_row(void *arg)
{
    const struct row *row = arg;
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    struct settings settings = usual();
    struct outcome why = {0};
    struct connection *c;

    settings.lmtp = row->lmtp;
    settings.hello_verb = row->lmtp ? "LHLO" : "EHLO";
    c = connect_now(&settings, &arena, &why);
    if ((c != NULL) != row->open)
        fail_msg("%s: open %d: %.*s", row->name, c != NULL, S_ARG(why.reason));
    if (c != NULL) {
        assert_int_equal(c->features, row->features);
        connection_close(c, true);
        return;
    }
    assert_memory_equal(&why.dsn, &row->dsn, sizeof why.dsn);
    assert_int_equal(why.kind, row->dsn.class == 4 ? OUTCOME_DEFERRED : OUTCOME_BOUNCED);
    if (!slice_ends(why.reason, slice_text(row->reason)))
        fail_msg("%s: %.*s", row->name, S_ARG(why.reason));
}

static void greet_all(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        with_peer(rows[i].script, greet_row, (void *)&rows[i]);
}

/* ---- idle connections ---- */

static const char *const friendly[] = {"S:220 hi", "C:EHLO client.example", "S:250 hi", NULL};
static const char *const closes[] = {"S:220 hi", "C:EHLO client.example", "S:250 hi", "CLOSE", NULL};
static const char *const says_goodbye[] = {"S:220 hi", "C:EHLO client.example", "S:250 hi", "S:421 4.4.2 idle", NULL};

static struct connection *put_one(struct settings *settings, struct arena *arena)
{
    struct outcome why;
    struct connection *c = connect_now(settings, arena, &why);
    struct err err;

    assert_non_null(c);
    cache_put(c);
    assert_true(task_sleep(deadline_in(MILLIS(50)), &err)); /* the server's last act comes in */
    return c;
}

static void kept(void *arg)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    struct settings settings = usual();
    struct connection *c = put_one(&settings, &arena);

    (void)arg;
    assert_null(cache_take(S("elsewhere")));
    assert_ptr_equal(cache_take(S("there")), c);
    assert_int_equal(c->uses, 1);
    assert_null(cache_take(S("there")));
    connection_close(c, true);
}

static void not_kept(void *arg)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    struct settings settings = usual();

    (void)arg;
    (void)put_one(&settings, &arena);
    assert_null(cache_take(S("there")));
}

static void expires(void *arg)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    struct settings settings = usual();

    (void)arg;
    settings.connection_cache_time_limit_us = MILLIS(10);
    (void)put_one(&settings, &arena);
    assert_null(cache_take(S("there")));
}

static void too_old(void *arg)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    struct settings settings = usual();

    (void)arg;
    settings.connection_reuse_time_limit_us = 0;
    (void)put_one(&settings, &arena);
    assert_null(cache_take(S("there")));
}

static void used_too_often(void *arg)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    struct settings settings = usual();
    struct connection *c;

    (void)arg;
    settings.connection_reuse_count_limit = 1;
    c = put_one(&settings, &arena);
    assert_ptr_equal(cache_take(S("there")), c);
    cache_put(c);
    assert_null(cache_take(S("there")));
}

static void idle_ones(void *arg)
{
    (void)arg;
    with_peer(friendly, kept, NULL);
    with_peer(closes, not_kept, NULL);
    with_peer(says_goodbye, not_kept, NULL);
    with_peer(friendly, expires, NULL);
    with_peer(friendly, too_old, NULL);
    with_peer(friendly, used_too_often, NULL);
}

static void greetings(void **state)
{
    struct err err;

    (void)state;
    assert_true(loop_run(greet_all, NULL, &err));
}

static void idle_connections(void **state)
{
    struct err err;

    (void)state;
    assert_true(loop_run(idle_ones, NULL, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(greetings), cmocka_unit_test(idle_connections)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
