#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mail/smtp/reply.h"

static const struct row {
    const char *name;
    slice line;
    bool good;
    struct reply_line expect;
} rows[] = {
    {"plain", S_INIT("250 ok"), true, {250, true, {0}, S_INIT("ok")}},
    {"more to come", S_INIT("250-SIZE 10"), true, {250, false, {0}, S_INIT("SIZE 10")}},
    {"enhanced", S_INIT("550 5.1.1 no such user"), true, {550, true, {5, 1, 1}, S_INIT("no such user")}},
    {"class differs", S_INIT("250 5.1.1 odd"), true, {250, true, {0}, S_INIT("5.1.1 odd")}},
    {"code alone", S_INIT("250"), true, {250, true, {0}, S_INIT("")}},
    {"empty text", S_INIT("250 "), true, {250, true, {0}, S_INIT("")}},
    {"no separator", S_INIT("250ok"), false, {0}},
    {"two digits", S_INIT("25 ok"), false, {0}},
    {"a code nobody may send", S_INIT("999 what"), true, {999, true, {0}, S_INIT("what")}},
    {"below all codes", S_INIT("099 what"), true, {99, true, {0}, S_INIT("what")}},
    {"empty", S_INIT(""), false, {0}},
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reply_line got = {.code = -1};
        bool good = reply_line_parse(rows[i].line, &got);

        if (good != rows[i].good)
            fail_msg("%s: parsed %d", rows[i].name, good);
        if (!good) {
            assert_int_equal(got.code, -1);
            continue;
        }
        assert_int_equal(got.code, rows[i].expect.code);
        assert_int_equal(got.last, rows[i].expect.last);
        assert_memory_equal(&got.dsn, &rows[i].expect.dsn, sizeof got.dsn);
        if (!slice_eq(got.text, rows[i].expect.text))
            fail_msg("%s: text \"%.*s\"", rows[i].name, S_ARG(got.text));
    }
}

/* ---- whole replies ---- */

static void count_oddity(void *arg, enum reply_oddity what, slice text)
{
    (void)text;
    ((unsigned *)arg)[what]++;
}

static const struct whole_row {
    const char *name, *in;
    bool good;
    int code;
    struct dsn_code dsn;
    const char *text;
    unsigned odd[3]; /* by enum reply_oddity */
} whole_rows[] = {
    {"one line", "250 ok\r\nnext", true, 250, {2, 0, 0}, "250 ok", {0}},
    {"many lines", "250-a\r\n250-b\r\n250 c\r\n", true, 250, {2, 0, 0}, "250-a\n250-b\n250 c", {0}},
    {"the last line decides", "450-4.1.1 a\r\n550 5.1.2 b\r\n", true, 550, {5, 1, 2}, "450-4.1.1 a\n550 5.1.2 b", {0}},
    {"garbage", "what\r\n250 ok\r\n", true, 250, {2, 0, 0}, "what\n250 ok", {0, 0, 1}},
    {"bare lf", "250 ok\n", true, 250, {2, 0, 0}, "250 ok", {0}},
    {"cr cr lf", "250 ok\r\r\n", true, 250, {2, 0, 0}, "250 ok", {0}},
    {"no such code", "999 what\r\n", true, 999, {5, 5, 0}, "999 what", {0}},
    {"closed", "", false, 0, {0}, "", {0}},
    {"closed in a reply", "250-a\r\n", false, 0, {0}, "", {0}},
    {"closed in a line", "250 a", false, 0, {0}, "", {0}},
};

static void test_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(whole_rows); i++) {
        const struct whole_row *row = &whole_rows[i];
        AUTO_ARENA struct arena arena = ARENA_INIT(100000);
        AUTO_STREAM struct stream *s = stream_from_bytes(slice_text(row->in));
        unsigned odd[3] = {0};
        const struct reply_watch watch = {count_oddity, NULL, odd};
        struct reply reply = {.code = -1};
        struct err err;
        bool good = reply_read(s, &arena, NEVER, &watch, &reply, &err);

        if (good != row->good)
            fail_msg("%s: read %d", row->name, good);
        if (!good) {
            assert_int_equal(err.kind, ERR_PEER);
            assert_int_equal(reply.code, -1);
            continue;
        }
        assert_int_equal(reply.code, row->code);
        assert_memory_equal(&reply.dsn, &row->dsn, sizeof reply.dsn);
        if (!slice_eq(reply.text, slice_text(row->text)))
            fail_msg("%s: \"%.*s\"", row->name, S_ARG(reply.text));
        assert_memory_equal(odd, row->odd, sizeof odd);
    }
}

/* However long: one reply, a bounded text, and what follows it is the next one. */
static void test_long(void **state)
{
    AUTO_BUF struct buf in = BUF_INIT(1000000);
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    unsigned odd[3] = {0};
    const struct reply_watch watch = {count_oddity, NULL, odd};
    struct reply reply;
    struct err err;

    (void)state;
    for (int i = 0; i < 300; i++)
        assert_true(buf_addf(&in, "250-%d %0*d\r\n", i, i == 7 ? 5000 : 500, 0));
    assert_true(buf_add(&in, S("550 5.1.1 end\r\n220 next\r\n")));
    AUTO_STREAM struct stream *s = stream_from_bytes(buf_slice(&in));
    assert_true(reply_read(s, &arena, NEVER, &watch, &reply, &err));
    assert_int_equal(reply.code, 550);
    assert_int_equal(reply.dsn.subject, 1);
    assert_true(reply.text.n <= REPLY_TEXT_MOST);
    assert_int_equal(odd[REPLY_LINE_LONG], 1);
    assert_int_equal(odd[REPLY_LONG], 1);
    assert_true(reply_read(s, &arena, NEVER, NULL, &reply, &err));
    assert_int_equal(reply.code, 220);
    assert_true(slice_eq(reply.text, S("220 next")));
}

static void test_nul(void **state)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(10000);
    AUTO_STREAM struct stream *s = stream_from_bytes(S("550 a\0b\r\n"));
    struct reply reply;
    struct err err;

    (void)state;
    assert_true(reply_read(s, &arena, NEVER, NULL, &reply, &err));
    assert_true(slice_eq(reply.text, S("550 a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_whole), cmocka_unit_test(test_long),
                                       cmocka_unit_test(test_nul)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
