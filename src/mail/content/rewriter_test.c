#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/cut.h"
#include "mail/content/rewriter.h"
#include "mail/queue/record.h"

/* What came out: "N text" lines; then what was logged. */
struct world {
    struct buf out, log;
    int emits_left;
    bool checks, at_once;
};

static bool emit(void *context, int type, slice data)
{
    struct world *world = context;

    if (world->emits_left == 0)
        return false;
    world->emits_left--;
    return buf_addf(&world->out, "%c %.*s\n", type, S_ARG(data));
}

static bool address(void *context, enum rewriter_address role, slice external, struct arena *arena, deadline by,
                    slice *out, struct err *err)
{
    (void)context, (void)role, (void)by;
    if (slice_eq(external, S("fail")))
        return err_set(err, ERR_TEMPORARY, "no answer");
    *out = external;
    return slice_find(external, '@') != SLICE_NONE || arena_printf(arena, out, "%.*s@h", S_ARG(external));
}

static void message_id(void *context, slice id, bool resent)
{
    struct world *world = context;

    (void)buf_addf(&world->log, "%s%s\n", resent ? "resent " : "", slice_find(id, '@') == SLICE_NONE ? "none" : "id");
}

static bool reject(void *context, int64_t status, const char *why)
{
    struct world *world = context;

    (void)buf_addf(&world->log, "%lld %s\n", (long long)status, why);
    return world->emits_left > 0;
}

/* Notes what it is asked; "drop", "stop", "new" and "old" in a text do what they say. */
static enum rewriter_verdict check(void *context, enum rewriter_line line, struct rewriter_text *text, deadline by)
{
    struct world *world = context;

    (void)by;
    (void)buf_addf(&world->log, "%d %.*s\n", (int)line, S_ARG(text->text));
    if (slice_ends(text->text, S("old")))
        text->text = S("X-New: y");
    if (slice_ends(text->text, S("new")))
        text->before = S("X-Before: z");
    return slice_ends(text->text, S("drop"))   ? REWRITER_DROP
           : slice_ends(text->text, S("stop")) ? REWRITER_STOP
                                               : REWRITER_KEEP;
}

static void fault(void *context, enum rewriter_fault what, slice text)
{
    struct world *world = context;

    (void)buf_addf(&world->log, "fault %d %.*s\n", (int)what, S_ARG(text));
}

#define RECEIVED "N Received: x\n"
#define PARTS "N Content-Type: multipart/x; boundary=b\nN \nN X : y\n"
#define ADDED_DATE "N Date: Thu,  1 Jan 1970 00:00:10 +0000 (UTC)\n"

static const struct row {
    const char *name, *in, *out, *log;
    bool remote;
} rows[] = {
    {"complete", RECEIVED "N Message-Id: <a@b>\nN Date: x\nN From: y@z\nN \nN body\n",
     RECEIVED "N Message-Id: <a@b>\nN Date: x\nN From: y@z\nN \nN body\n", "id\n", false},
    {"missing", RECEIVED "N Message-Id: <a@b>\nN \nN body\n",
     RECEIVED "N Message-Id: <a@b>\n" ADDED_DATE "N From: Full, <s@h>\nN \nN body\n", "id\n", false},
    {"remote", RECEIVED "N To: a\nN \n", RECEIVED "N To: a\nN \n", "none\n", true},
    {"no body", RECEIVED, RECEIVED, "none\n", true},
    {"body without blank line", RECEIVED "N hello world\nN To: x\n", RECEIVED "N \nN hello world\nN To: x\n", "none\n",
     true},
    {"no received", "N To: a\nN \n", "N To: a\nN \n", "1 no Received: header\n", true},
    {"folded", RECEIVED "N Subject: a\nN  b\nN \tc\nN \n", RECEIVED "N Subject: a\nN  b\nN \tc\nN \n", "none\n", true},
    {"long header line in pieces", RECEIVED "L Subj\nN ect: a\nN \n", RECEIVED "N \nL Subj\nN ect: a\nN \n", "none\n",
     true},
    {"header in pieces", RECEIVED "L Subject: a\nN b\nN \n", RECEIVED "N Subject: ab\nN \n", "none\n", true},
    {"long body line", RECEIVED "N \nN 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijkl\n",
     RECEIVED "N \nL 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcd\nN efghijkl\n", "none\n", true},
    {"unterminated", RECEIVED "N \nL end\n", RECEIVED "N \nL end\nN \n", "none\n", true},
    {"stray cr", RECEIVED "N Subject: a\rb\nN \nN c\rd\r\n", RECEIVED "N Subject: a b\nN \nN c d \n", "none\n", true},
    {"dropped", RECEIVED "N Bcc: x\nN return-path: y\nN X-Mine : z\nN Content-Length: 1\nN \n", RECEIVED "N \n",
     "none\n", true},
    {"rewritten", RECEIVED "N Date: x\nN Message-Id: <a@b>\nN From: a  b <c>\nN To : d\nN Subject: e\nN \n",
     RECEIVED "N Date: x\nN Message-Id: <a@b>\nN From: a b <c@h>\nN To: d@h\nN Subject: e\nN \n", "id\n", false},
    {"untouched", RECEIVED "N Date: x\nN Message-Id: <a@b>\nN From:   a  b <c@d>\nN \n",
     RECEIVED "N Date: x\nN Message-Id: <a@b>\nN From:   a  b <c@d>\nN \n", "id\n", false},
    {"resent", RECEIVED "N Resent-From: a@b\nN Resent-Message-Id: <x@y>\nN \n",
     RECEIVED
     "N Resent-From: a@b\nN Resent-Message-Id: <x@y>\nN Resent-Date: Thu,  1 Jan 1970 00:00:10 +0000 (UTC)\nN \n",
     "resent id\nnone\n", false},
    {"hops", RECEIVED RECEIVED RECEIVED "N \n", RECEIVED RECEIVED RECEIVED "N \n", "16 hopcount exceeded\nnone\n",
     true},
    {"header too long",
     RECEIVED "N Subject: 0123456789012345678901234567890\nN  0123456789012345678901234567890\nN  012\n"
              "N To: x\nN \n",
     RECEIVED "N Subject: 0123456789012345678901234567890\nN  012\nN To: x\nN \n", "none\n", true},
    {"blank before the colon", RECEIVED "N Subject : a\nN X-Any\t :b\nN \n", RECEIVED "N Subject: a\nN X-Any:b\nN \n",
     "none\n", true},
    {"hops before the end of headers", RECEIVED RECEIVED RECEIVED, RECEIVED RECEIVED RECEIVED,
     "16 hopcount exceeded\nnone\n", true},
    {"message id without text", RECEIVED "N Message-Id: \nN \n", RECEIVED "N Message-Id: \nN \n", "none\n", true},
    {"part", RECEIVED PARTS "N --b\nN Subject : a\nN  b\nN \nN X : y\nN --b--\nN Z : z\n",
     RECEIVED PARTS "N --b\nN Subject: a\nN  b\nN \nN X : y\nN --b--\nN Z : z\n", "none\n", true},
    {"part with a long header",
     RECEIVED PARTS "N --b\nL Subject: 0123456789012345678901234567890123456789\nN 01234567890123456789\nN x\n",
     RECEIVED PARTS "N --b\nL Subject: 01234567890123456789012345678901234567890\nN 1234567890\nN x\n", "none\n", true},
    {"part without end of headers", RECEIVED PARTS "N --b\nN a b\nN X : y\n", RECEIVED PARTS "N --b\nN a b\nN X : y\n",
     "none\n", true},
    {"part in a part",
     RECEIVED PARTS
     "N --b\nN Content-Type: multipart/x;\nN \tboundary=c\nN --c\nN X : y\nN --b\nN X : y\nN --c\nN X : y\n",
     RECEIVED PARTS
     "N --b\nN Content-Type: multipart/x;\nN \tboundary=c\nN --c\nN X: y\nN --b\nN X: y\nN --c\nN X : y\n",
     "none\n", true},
    {"message in a part", RECEIVED PARTS "N --b\nN Content-Type: message/rfc822\nN \nN X : y\nN \nN X : y\n",
     RECEIVED PARTS "N --b\nN Content-Type: message/rfc822\nN \nN X: y\nN \nN X : y\n", "none\n", true},
    {"from line ends headers", RECEIVED "N From x\nN To: y\n", RECEIVED "N \nN From x\nN To: y\n", "none\n", true},
};

static struct params params = {
    .message_drop_headers = "bcc, return-path, X-Mine content-length",
    .header_from_format = "standard",
    .undisclosed_recipients_header = "",
    .myhostname = "h",
    .header_size_limit = 60,
    .line_length_limit = 50,
    .hopcount_limit = 3,
    .header_address_token_limit = 1000,
    .cleanup_replace_stray_cr_lf = true,
    .mime_boundary_length_limit = 70,
    .mime_nesting_limit = 5,
    .body_checks_size_limit = 30,
    .strict_8bitmime = true,
    .strict_mime_encoding_domain = true,
};

/* Those at the front that need no second look. */
static void take_plain(const struct rewriter *w, struct world *world, slice *records)
{
    slice plain = rewriter_plain(w, *records), data;
    int type;

    *records = slice_skip(*records, plain.n);
    while (cut_record(&plain, &type, &data) == RECORD_READ)
        assert_true(emit(world, type, data));
    assert_int_equal(plain.n, 0);
}

static bool feed_records(struct rewriter *w, struct world *world, slice records, struct err *err)
{
    slice data;
    int type;

    for (;;) {
        if (world->at_once)
            take_plain(w, world, &records);
        if (cut_record(&records, &type, &data) != RECORD_READ)
            return true;
        if (!rewriter_text(w, type, data, NEVER, err))
            return false;
    }
}

/* Feeds "N text" lines. */
static bool feed(const struct row *row, struct world *world, struct err *err)
{
    struct rewriter_rules rules;
    struct rewriter w;
    const struct rewriter_hooks hooks = {.context = world,
                                         .emit = emit,
                                         .address = address,
                                         .message_id = message_id,
                                         .reject = reject,
                                         .check = world->checks ? check : NULL,
                                         .fault = world->checks ? fault : NULL};
    const struct rewriter_facts facts = {.queue_id = S("ID"),
                                         .sender = S("s@h"),
                                         .full_name = S("Full,"),
                                         .arrival_seconds = 10,
                                         .rewrite = !row->remote,
                                         .complete = !row->remote};
    AUTO_BUF struct buf records = BUF_INIT(10000);
    slice in = slice_text(row->in), line;
    bool good;

    assert_true(rewriter_rules_init(&rules, &params, err));
    rewriter_init(&w, &rules, &hooks, &facts);
    while (cut_until(&in, '\n', &line))
        assert_true(record_add(&records, line.p[0], slice_skip(line, 2)));
    good = feed_records(&w, world, buf_slice(&records), err) && rewriter_end(&w, NEVER, err);
    rewriter_done(&w);
    return good;
}

/* One record after the other, or those that need no look at once: the outcome is the same. */
static void rewrites(void **state)
{
    (void)state;
    for (size_t n = 0; n < 2 * COUNT_OF(rows); n++) {
        struct world world = {.emits_left = 1000, .at_once = n >= COUNT_OF(rows)};
        size_t i = n % COUNT_OF(rows);
        struct err err;

        buf_init(&world.out, 10000);
        buf_init(&world.log, 10000);
        assert_true(feed(&rows[i], &world, &err));
        if (strcmp(buf_text(&world.log), rows[i].log) != 0)
            fail_msg("%s: logged\n%s", rows[i].name, buf_text(&world.log));
        if (strcmp(buf_text(&world.out), rows[i].out) != 0 && strstr(rows[i].out, "Full,") == NULL)
            fail_msg("%s:\n%s", rows[i].name, buf_text(&world.out));
        buf_done(&world.out);
        buf_done(&world.log);
    }
}

/* ---- content checks ---- */

static void checks(void **state)
{
    static const struct row row = {.in = RECEIVED
                                   "N Content-Type: multipart/x; boundary=b\nN Content-Transfer-Encoding: base64\nN A "
                                   ": new\nN B:\nN  old\nN C: drop\nN \nN "
                                   "drop\nN new\nN \nN --b\nN D: \xc3\xa4\nN Content-Type: message/rfc822\nN \nN E: "
                                   "x\nN Content-ID: y\nN \nN \xc3\xa4\nN stop\nN never\n",
                                   .remote = true};
    struct world world = {.emits_left = 1000, .checks = true};
    struct err err;

    (void)state;
    buf_init(&world.out, 10000);
    buf_init(&world.log, 10000);
    assert_false(feed(&row, &world, &err));
    assert_int_equal(err.kind, ERR_NONE);
    assert_string_equal(buf_text(&world.log), "0 Received: x\n1 Content-Type: multipart/x; boundary=b\n1 "
                                              "Content-Transfer-Encoding: base64\n0 A: new\n0 B:\n old\n0 C: "
                                              "drop\nnone\nfault 2 base64\n3 drop\n3 new\n3 --b\nfault 0 D: "
                                              "\xc3\xa4\n1 D: \xc3\xa4\n1 Content-Type: message/rfc822\n2 "
                                              "E: x\n1 Content-ID: y\nfault 1 \xc3\xa4\n3 \xc3\xa4\n3 stop\n");
    assert_string_equal(buf_text(&world.out),
                        RECEIVED "N Content-Type: multipart/x; boundary=b\nN Content-Transfer-Encoding: base64\nN "
                                 "X-Before: z\nN A: new\nN X-New: "
                                 "y\nN \nN X-Before: z\nN new\nN \nN --b\nN D: \xc3\xa4\nN Content-Type: "
                                 "message/rfc822\nN \nN E: x\nN Content-ID: "
                                 "y\nN \nN \xc3\xa4\n");
    buf_done(&world.out);
    buf_done(&world.log);
}

/* A failing hook ends it, wherever it is called. */
static void stops(void **state)
{
    static const struct row fails = {.in = RECEIVED "N To: a, fail\nN \n"};
    struct world world = {.emits_left = 1000};
    struct err err;

    (void)state;
    buf_init(&world.out, 10000);
    buf_init(&world.log, 10000);
    assert_false(feed(&fails, &world, &err));
    assert_int_equal(err.kind, ERR_TEMPORARY);
    for (int n = 0;; n++) {
        world.emits_left = n;
        if (feed(&rows[1], &world, &err))
            break;
        assert_int_equal(err.kind, ERR_NONE);
        assert_true(n < 10);
    }
    buf_done(&world.out);
    buf_done(&world.log);
}

/* How many bytes of a body's records are taken at once. */
static void body_at_once(void **state)
{
    static const struct {
        const char *name;
        slice records;
        size_t plain;
    } bodies[] = {
        {"lines", S_INIT("N\3abcN\0N\1xX\0"), 10},
        {"a piece of a line", S_INIT("N\1xL\1yN\1z"), 3},
        {"not all here", S_INIT("N\1xN\5abcd"), 3},
        {"stray CR", S_INIT("N\1xN\3a\rbN\1z"), 3},
        {"stray LF", S_INIT("N\1xN\3a\nb"), 3},
        {"lengths like CR and LF", S_INIT("N\r0123456789abcN\n0123456789N\1x"), 30},
        {"stray CR behind a length like it", S_INIT("N\r0123456789abcN\r012345678\rabcX\0"), 15},
        {"too long", S_INIT("N\1xN\063012345678901234567890123456789012345678901234567890N\0"), 3},
        {"length in two bytes", S_INIT("N\1xN\201\0a"), 3},
    };
    struct rewriter_rules rules;
    struct err err;

    (void)state;
    assert_true(rewriter_rules_init(&rules, &params, &err));
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct rewriter w;

        rewriter_init(&w, &rules, &(struct rewriter_hooks){0}, &(struct rewriter_facts){0});
        assert_int_equal(rewriter_plain(&w, bodies[i].records).n, 0); /* while there may be headers */
        w.mime.in_header = false;
        if (rewriter_plain(&w, bodies[i].records).n != bodies[i].plain)
            fail_msg("%s: %zu", bodies[i].name, rewriter_plain(&w, bodies[i].records).n);
        rewriter_done(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rewrites), cmocka_unit_test(body_at_once), cmocka_unit_test(checks), cmocka_unit_test(stops)};

    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
