#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "commands/postconf/edit.h"

static const struct row {
    const char *text, *name, *value;
    enum main_cf_change change;
    const char *expect;
} rows[] = {
    {"a = 1\nb = 2\n", "a", "3", MAIN_CF_SET, "a = 3\nb = 2\n"},
    {"# a = 1\nb=2\n", "a", "3", MAIN_CF_SET, "# a = 1\nb=2\na = 3\n"},
    {"a = 1\n  more\n\tyet\nb = 2\n", "a", "3", MAIN_CF_SET, "a = 3\nb = 2\n"},
    {"a = 1\nb = 2\na = 4\n", "a", "3", MAIN_CF_SET, "b = 2\na = 3\n"},
    {"a = 1\nb = 2", "b", "3", MAIN_CF_SET, "a = 1\nb = 3\n"},
    {"a = 1", "b", "3", MAIN_CF_SET, "a = 1\nb = 3\n"},
    {"", "a", "", MAIN_CF_SET, "a = \n"},
    {"a = 1\n# note\nb = 2\n", "a", "", MAIN_CF_REMOVE, "# note\nb = 2\n"},
    {"ab = 1\n", "a", "", MAIN_CF_REMOVE, "ab = 1\n"},
    {"a = 1\n# note\n  more\nb = 2\n", "a", "3", MAIN_CF_SET, "a = 3\n# note\nb = 2\n"},
    {"a = 1\n# note\n  more\nb = 2\na = 3\n", "a", "", MAIN_CF_COMMENT_OUT, "#a = 1\n# note\n#  more\nb = 2\n#a = 3\n"},
    {"b = 2\n", "a", "", MAIN_CF_COMMENT_OUT, "b = 2\n"},
};

static void test_edit(void **state)
{
    AUTO_BUF struct buf out = BUF_INIT(1000);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_clear(&out);
        assert_true(main_cf_edit(slice_text(rows[i].text), slice_text(rows[i].name), slice_text(rows[i].value),
                                 rows[i].change, &out));
        assert_string_equal(buf_text(&out), rows[i].expect);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_edit)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
