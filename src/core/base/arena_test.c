#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/arena.h"

static bool is_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0)
            return false;
    return true;
}

static void aligned_and_zeroed(void **state)
{
    AUTO_ARENA struct arena a = ARENA_INIT(1 << 20);

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 3000; n += 7) {
            char *p = arena_alloc(&a, n);

            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            assert_true(is_zero(p, n));
            memset(p, 0xee, n);
        }
        arena_reset(&a);
        assert_int_equal(a.used_bytes, 0);
    }
}

static void the_cap_holds(void **state)
{
    AUTO_ARENA struct arena a = ARENA_INIT(1000);
    slice out = S("poison");

    (void)state;
    assert_null(arena_alloc(&a, 1001));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc_array(&a, SIZE_MAX / 2, 4));
    assert_non_null(arena_alloc(&a, 900));
    assert_false(arena_copy(&a, slice_of("x", 200), &out));
    assert_false(arena_printf(&a, &out, "%200d", 1));
    assert_null(arena_text(&a, slice_of("x", 200)));
    assert_true(slice_eq(out, S("poison")));
    assert_true(arena_copy(&a, S("abc"), &out));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 990));
}

static void texts(void **state)
{
    AUTO_ARENA struct arena a = ARENA_INIT(10000);
    slice out;

    (void)state;
    assert_true(arena_copy(&a, S("a\0b"), &out));
    assert_true(slice_eq(out, S("a\0b")));
    assert_int_equal(out.p[out.n], '\0');
    assert_string_equal(arena_text(&a, S("text")), "text");
    assert_string_equal(arena_text(&a, (slice){NULL, 0}), "");
    assert_true(arena_printf(&a, &out, "%s-%d", "x", 5));
    assert_string_equal(out.p, "x-5");
    assert_non_null(ARENA_NEW(&a, struct arena));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_and_zeroed), cmocka_unit_test(the_cap_holds), cmocka_unit_test(texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
