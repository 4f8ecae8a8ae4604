#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/attributes.h"
#include "core/base/base64.h"
#include "core/base/buf.h"

static void grows_to_its_maximum(void **state)
{
    AUTO_BUF struct buf b = BUF_INIT(100);

    (void)state;
    assert_string_equal(buf_text(&b), "");
    for (int i = 0; i < 100; i++)
        assert_true(buf_add_char(&b, 'x'));
    assert_false(buf_add_char(&b, 'y'));
    assert_true(b.overflow);
    assert_int_equal(b.n, 100);
    assert_true(buf_add(&b, S("")));
    assert_true(b.overflow);
    assert_int_equal(strlen(buf_text(&b)), 100);
    buf_clear(&b);
    assert_false(b.overflow);
    assert_false(buf_addf(&b, "%101d", 1));
    assert_int_equal(b.n, 0);
    assert_true(buf_addf(&b, "%100d", 1));
    assert_null(buf_reserve(&b, SIZE_MAX));
}

/* What does not fit into the memory there is must leave no trace of the attempt. */
static void formatting(void **state)
{
    AUTO_BUF struct buf b = BUF_INIT(100);

    (void)state;
    assert_true(buf_addf(&b, "%s", "ab"));
    for (int i = 2; i <= 98; i++)
        assert_true(buf_addf(&b, "%d", i % 10));
    assert_int_equal(b.n, 99);
    assert_memory_equal(b.p, "ab2345678901", 12);
    assert_false(buf_addf(&b, "%s", "xy"));
    assert_true(b.overflow);
    assert_int_equal(b.n, 99);
    assert_int_equal(strlen(buf_text(&b)), 99);
    assert_true(buf_addf(&b, "%s", "x"));
    assert_int_equal(strlen(buf_text(&b)), 100);
}

static void cutting(void **state)
{
    AUTO_BUF struct buf b = BUF_INIT(100);

    (void)state;
    buf_consume(&b, 0);
    buf_truncate(&b, 0);
    assert_true(buf_add_text(&b, "hello world"));
    buf_consume(&b, 6);
    assert_string_equal(buf_text(&b), "world");
    buf_truncate(&b, 3);
    assert_string_equal(buf_text(&b), "wor");
    memcpy(buf_reserve(&b, 2), "k!", 2);
    buf_commit(&b, 1);
    assert_string_equal(buf_text(&b), "work");
    assert_true(slice_eq(buf_slice(&b), S("work")));
}

static void base64(void **state)
{
    static const struct {
        slice plain, coded;
    } rows[] = {
        {S_INIT(""), S_INIT("")},
        {S_INIT("f"), S_INIT("Zg==")},
        {S_INIT("fo"), S_INIT("Zm8=")},
        {S_INIT("foo"), S_INIT("Zm9v")},
        {S_INIT("foob"), S_INIT("Zm9vYg==")},
        {S_INIT("\xff\xfe\0"), S_INIT("//4A")},
    };
    static const slice bad[] = {S_INIT("Z"),        S_INIT("Zg"),   S_INIT("Zg="),  S_INIT("Zg==Zg=="),
                                S_INIT("Z==="),     S_INIT("===="), S_INIT("Zm 8"), S_INIT("Zm8\n"),
                                S_INIT("Zm8=\0\0\0\0"), S_INIT("Z\0=="), S_INIT("Zg=a")};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf b = BUF_INIT(100);

        assert_true(base64_encode(rows[i].plain, &b));
        assert_true(slice_eq(buf_slice(&b), rows[i].coded));
        buf_clear(&b);
        assert_true(base64_decode(rows[i].coded, &b));
        assert_true(slice_eq(buf_slice(&b), rows[i].plain));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf b = BUF_INIT(100);

        if (base64_decode(bad[i], &b))
            fail_msg("decoded %.*s", S_ARG(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_to_its_maximum), cmocka_unit_test(formatting), cmocka_unit_test(cutting), cmocka_unit_test(base64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
