#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "commands/postconf/edit.h"

static const struct row {
    const char *text, *name, *value;
    bool remove;
    const char *expect;
} rows[] = {
    {"a = 1\nb = 2\n", "a", "3", false, "a = 3\nb = 2\n"},
    {"# a = 1\nb=2\n", "a", "3", false, "# a = 1\nb=2\na = 3\n"},
    {"a = 1\n  more\n\tyet\nb = 2\n", "a", "3", false, "a = 3\nb = 2\n"},
    {"a = 1\nb = 2\na = 4\n", "a", "3", false, "b = 2\na = 3\n"},
    {"a = 1\nb = 2", "b", "3", false, "a = 1\nb = 3\n"},
    {"a = 1", "b", "3", false, "a = 1\nb = 3\n"},
    {"", "a", "", false, "a = \n"},
    {"a = 1\n# note\nb = 2\n", "a", "", true, "# note\nb = 2\n"},
    {"ab = 1\n", "a", "", true, "ab = 1\n"},
};

static void test_edit(void **state)
{
    AUTO_BUF struct buf out = BUF_INIT(1000);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_clear(&out);
        assert_true(main_cf_edit(slice_text(rows[i].text), slice_text(rows[i].name), slice_text(rows[i].value), rows[i].remove, &out));
        assert_string_equal(buf_text(&out), rows[i].expect);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_edit)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
