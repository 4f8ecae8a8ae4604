#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/attributes.h"
#include "core/base/slice.h"

static void comparing(void **state)
{
    (void)state;
    assert_true(slice_eq(S(""), (slice){NULL, 0}));
    assert_true(slice_eq(S("a\0b"), slice_of("a\0b", 3)));
    assert_false(slice_eq(S("a"), S("ab")));
    assert_true(slice_eq_case(S("MiXeD"), S("mixed")));
    assert_false(slice_eq_case(S("\xc3\x89"), S("\xc3\xa9")));
    assert_int_equal(slice_cmp(S("a"), S("a")), 0);
    assert_true(slice_cmp(S("a"), S("ab")) < 0);
    assert_true(slice_cmp(S("b"), S("ab")) > 0);
    assert_true(slice_cmp(S("\xff"), S("a")) > 0);
    assert_true(slice_cmp((slice){NULL, 0}, S("")) == 0);
}

static void ends(void **state)
{
    (void)state;
    assert_true(slice_starts(S("abc"), S("ab")));
    assert_true(slice_starts(S("abc"), S("")));
    assert_false(slice_starts(S("ab"), S("abc")));
    assert_true(slice_starts_case(S("ABC"), S("ab")));
    assert_true(slice_ends(S("abc"), S("bc")));
    assert_false(slice_ends(S("bc"), S("abc")));
    assert_true(slice_ends_case(S("aBC"), S("bc")));
}

static void pieces(void **state)
{
    (void)state;
    assert_true(slice_eq(slice_head(S("abc"), 2), S("ab")));
    assert_true(slice_eq(slice_head(S("abc"), SLICE_NONE), S("abc")));
    assert_true(slice_eq(slice_skip(S("abc"), 2), S("c")));
    assert_int_equal(slice_skip(S("abc"), 4).n, 0);
    assert_int_equal(slice_skip((slice){NULL, 0}, 1).n, 0);
    assert_int_equal(slice_text(NULL).n, 0);
}

static void finding(void **state)
{
    (void)state;
    assert_int_equal(slice_find(S("a@b@c"), '@'), 1);
    assert_int_equal(slice_find_last(S("a@b@c"), '@'), 3);
    assert_true(slice_find(S("abc"), '@') == SLICE_NONE);
    assert_true(slice_find_last(S(""), '@') == SLICE_NONE);
    assert_true(slice_find((slice){NULL, 0}, '@') == SLICE_NONE);
    assert_int_equal(slice_find_any(S("ab,c;d"), ";,"), 2);
    assert_true(slice_find_any(S("a\0b"), "x") == SLICE_NONE); /* the set's own NUL is not in it */
    assert_int_equal(slice_find_slice(S("abcabd"), S("abd")), 3);
    assert_true(slice_find_slice(S("ab"), S("abd")) == SLICE_NONE);
    assert_int_equal(slice_find_slice(S("ab"), S("")), 0);
    assert_true(slice_has_nul(S("a\0")));
    assert_false(slice_has_nul(S("a")));
}

static void trimming(void **state)
{
    static const struct {
        slice in, both, end;
    } rows[] = {
        {S_INIT(""), S_INIT(""), S_INIT("")},
        {S_INIT(" \t\r\n\v\f"), S_INIT(""), S_INIT("")},
        {S_INIT(" a b "), S_INIT("a b"), S_INIT(" a b")},
        {S_INIT("\0 "), S_INIT("\0"), S_INIT("\0")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(slice_eq(slice_trim(rows[i].in), rows[i].both));
        assert_true(slice_eq(slice_trim_end(rows[i].in), rows[i].end));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing), cmocka_unit_test(ends),     cmocka_unit_test(pieces),
        cmocka_unit_test(finding),   cmocka_unit_test(trimming),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
