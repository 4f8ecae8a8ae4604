#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <inttypes.h>

#include "core/base/attributes.h"
#include "core/base/cut.h"

static void prefixes(void **state)
{
    slice s = S("Re: x");

    (void)state;
    assert_false(cut_char(&s, 'r'));
    assert_false(cut_prefix(&s, S("re:")));
    assert_true(slice_eq(s, S("Re: x")));
    assert_true(cut_prefix_case(&s, S("re:")));
    assert_int_equal(cut_blanks(&s), 1);
    assert_int_equal(cut_blanks(&s), 0);
    assert_true(cut_char(&s, 'x'));
    assert_false(cut_char(&s, '\0'));
    assert_int_equal(s.n, 0);
}

static void small_numbers(void **state)
{
    static const struct {
        slice in;
        int min, max;
        bool ok;
        unsigned value;
        slice rest;
    } rows[] = {
        {S_INIT("250 ok"), 3, 3, true, 250, S_INIT(" ok")},
        {S_INIT("2501"), 3, 3, true, 250, S_INIT("1")},
        {S_INIT("25 ok"), 3, 3, false, 0, S_INIT("25 ok")},
        {S_INIT(""), 0, 3, false, 0, S_INIT("")},
        {S_INIT("x"), 1, 3, false, 0, S_INIT("x")},
        {S_INIT("-1"), 1, 3, false, 0, S_INIT("-1")},
        {S_INIT("4294967295"), 1, 20, true, 4294967295U, S_INIT("")},
        {S_INIT("4294967296"), 1, 20, false, 0, S_INIT("4294967296")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        slice s = rows[i].in;
        unsigned value = 77;

        assert_int_equal(cut_uint(&s, rows[i].min, rows[i].max, &value), rows[i].ok);
        assert_int_equal(value, rows[i].ok ? rows[i].value : 77);
        assert_true(slice_eq(s, rows[i].rest));
    }
}

static void whole_numbers(void **state)
{
    static const struct {
        slice in;
        bool ok;
        int64_t value;
    } rows[] = {
        {S_INIT("0"), true, 0},           {S_INIT("-5"), true, -5},
        {S_INIT("007"), true, 7},         {S_INIT(""), false, 0},
        {S_INIT("-"), false, 0},          {S_INIT("+1"), false, 0},
        {S_INIT(" 1"), false, 0},         {S_INIT("1 "), false, 0},
        {S_INIT("1\0"), false, 0},        {S_INIT("9223372036854775807"), true, INT64_MAX},
        {S_INIT("9223372036854775808"), false, 0}, {S_INIT("--1"), false, 0},
    };
    int small = 77;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t value = 77;

        assert_int_equal(slice_to_i64(rows[i].in, &value), rows[i].ok);
        assert_true(value == (rows[i].ok ? rows[i].value : 77));
    }
    assert_false(slice_to_int(S("2147483648"), &small));
    assert_int_equal(small, 77);
    assert_true(slice_to_int(S("-2147483648"), &small));
    assert_true(small == -2147483647 - 1);
}

static void numbers_as_text(void **state)
{
    static const struct {
        int64_t value;
        slice text;
    } rows[] = {
        {0, S_INIT("0")},
        {-7, S_INIT("-7")},
        {1000, S_INIT("1000")},
        {INT64_MAX, S_INIT("9223372036854775807")},
        {INT64_MIN, S_INIT("-9223372036854775808")},
    };
    char room[I64_TEXT];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_true(slice_eq(slice_of_i64(rows[i].value, room), rows[i].text));
}

static void fields(void **state)
{
    slice s = S("a,,b"), out = S("poison");

    (void)state;
    assert_true(cut_until(&s, ',', &out) && slice_eq(out, S("a")));
    assert_true(cut_field(&s, ',', &out) && slice_eq(out, S("")));
    assert_false(cut_until(&s, ',', &out));
    assert_true(slice_eq(s, S("b")));
    assert_true(cut_field(&s, ',', &out) && slice_eq(out, S("b")));
    out = S("poison");
    assert_false(cut_field(&s, ',', &out));
    assert_true(slice_eq(out, S("poison")));
}

static void words(void **state)
{
    slice s = S(" ,a, b\t"), out = S("poison");

    (void)state;
    assert_true(cut_word(&s, ", \t", &out) && slice_eq(out, S("a")));
    assert_true(cut_word(&s, ", \t", &out) && slice_eq(out, S("b")));
    assert_false(cut_word(&s, ", \t", &out));
    assert_true(slice_eq(out, S("b")));
    assert_true(slice_eq(s, S("\t")));
    s = S("12x");
    assert_true(cut_while(&s, ascii_is_digit, &out) && slice_eq(out, S("12")));
    assert_false(cut_while(&s, ascii_is_digit, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes), cmocka_unit_test(small_numbers), cmocka_unit_test(whole_numbers), cmocka_unit_test(numbers_as_text),
        cmocka_unit_test(fields),   cmocka_unit_test(words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
