/* Enhanced status codes, outcomes, the points in time and how they are printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/attributes.h"
#include "core/base/clock.h"
#include "mail/envelope/message_times.h"
#include "mail/envelope/outcome.h"

static void codes(void **state)
{
    static const struct {
        const char *name, *text;
        bool whole, front;
        struct dsn_code code;
        size_t left;
    } rows[] = {
        {"plain", "5.1.1", true, true, {5, 1, 1}, 0},
        {"three digits", "4.123.999", true, true, {4, 123, 999}, 0},
        {"text follows", "2.0.0 Ok", false, true, {2, 0, 0}, 3},
        {"no such class", "3.1.1", false, false, {0}, 5},
        {"too many digits", "5.1234.1", false, false, {0}, 8},
        {"glued text", "5.1.1x", false, false, {0}, 6},
        {"incomplete", "5.1", false, false, {0}, 3},
        {"empty", "", false, false, {0}, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct dsn_code code = {9, 9, 9};
        slice rest = slice_text(rows[i].text);

        print_message("  %s\n", rows[i].name);
        assert_int_equal(dsn_code_parse(rest, &code), rows[i].whole);
        if (!rows[i].whole)
            assert_int_equal(code.class, 9);
        assert_int_equal(cut_dsn_code(&rest, &code), rows[i].front);
        if (rows[i].front)
            assert_memory_equal(&code, &rows[i].code, sizeof code);
        assert_int_equal(rest.n, rows[i].front ? rows[i].left : strlen(rows[i].text));
    }
}

static void code_prints_back(void **state)
{
    (void)state;
    for (int subject = 0; subject < 1000; subject += 37) {
        struct dsn_code in = {4, subject, 999 - subject}, out;
        char text[DSN_CODE_TEXT];

        dsn_code_print(in, text);
        assert_true(dsn_code_parse(slice_text(text), &out));
        assert_memory_equal(&in, &out, sizeof in);
    }
}

static void outcomes(void **state)
{
    struct err err;
    struct outcome o;

    (void)state;
    (void)err_set(&err, ERR_LIMIT, "too much");
    o = outcome_from_err(&err);
    assert_int_equal(o.kind, OUTCOME_DEFERRED);
    assert_int_equal(o.dsn.detail, 1);
    assert_true(slice_eq(o.reason, S("too much")));
    assert_int_equal(outcome_kind_of((struct dsn_code){2, 0, 0}), OUTCOME_DELIVERED);
    assert_int_equal(outcome_kind_of((struct dsn_code){5, 0, 0}), OUTCOME_BOUNCED);
    assert_int_equal(outcome_kind_of((struct dsn_code){0, 0, 0}), OUTCOME_DEFERRED);
}

static void times_travel(void **state)
{
    struct message_times in = {SECONDS(1795454304) + 32301, 2, 3, 0, 5, 7}, out;
    char bytes[MESSAGE_TIMES_BYTES];

    (void)state;
    message_times_encode(&in, bytes);
    assert_true(message_times_decode(slice_of(bytes, sizeof bytes), &out));
    assert_int_equal(out.arrival_us, in.arrival_us);
    assert_int_equal(out.delivered_us, 5);
    assert_int_equal(out.connection_reuses, 7);
    assert_false(message_times_decode(slice_of(bytes, sizeof bytes - 1), &out));
    memset(bytes, 0x7f, sizeof bytes);
    assert_false(message_times_decode(slice_of(bytes, sizeof bytes), &out));
}

static void delays(void **state)
{
    static const struct {
        int64_t us;
        int digits;
        const char *text;
    } rows[] = {
        {0, 2, "0"},         {4999, 2, "0"},      {5000, 2, "0.01"},   {70000, 2, "0.07"},    {99999, 2, "0.1"},
        {4230000, 2, "4.2"}, {9960000, 2, "10"},  {12400000, 2, "12"}, {131000000, 2, "131"}, {-5, 2, "0"},
        {123456, 3, "0.12"}, {12345, 3, "0.012"}, {999999, 0, "1"},    {1230000, 2, "1.2"},   {999500000, 2, "1000"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct message_times t = {.arrival_us = SECONDS(10), .active_us = SECONDS(10), .agent_us = SECONDS(10)};
        AUTO_BUF struct buf out = BUF_INIT(200), want = BUF_INIT(200);

        assert_true(message_times_print(&t, SECONDS(10) + rows[i].us, rows[i].digits, &out));
        (void)buf_addf(&want, "delay=%s, delays=0/0/0/%s", rows[i].text, rows[i].text);
        assert_string_equal(buf_text(&out), buf_text(&want));
    }
}

static void stages(void **state)
{
    struct message_times t = {SECONDS(100), SECONDS(101), SECONDS(103), SECONDS(106), 0, 0};
    AUTO_BUF struct buf out = BUF_INIT(200);

    (void)state;
    assert_true(message_times_print(&t, SECONDS(110), 2, &out));
    assert_string_equal(buf_text(&out), "delay=10, delays=1/2/3/4");
    buf_clear(&out);
    t.connected_us = 0;
    assert_true(message_times_print(&t, SECONDS(110), 2, &out));
    assert_string_equal(buf_text(&out), "delay=10, delays=1/2/0/7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes),        cmocka_unit_test(code_prints_back), cmocka_unit_test(outcomes),
        cmocka_unit_test(times_travel), cmocka_unit_test(delays),           cmocka_unit_test(stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
