#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands/postconf/edit.h"
#include "core/base/file.h"

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

static bool add_line(const char *path, const char *line)
{
    AUTO_BUF struct buf text = BUF_INIT(10000);
    struct file_edit e;
    struct err err;
    bool ok = file_edit_begin(&e, path, &err) && file_read_path(path, &text, &err) &&
              buf_add(&text, slice_text(line)) && file_edit_replace(&e, buf_slice(&text), &err);

    file_edit_done(&e);
    return ok;
}

static void test_editors_wait_for_each_other(void **state)
{
    enum { EDITORS = 4, LINES = 25 };
    char folder[] = "/tmp/edit-test.XXXXXX", path[100], temporary[110];
    AUTO_BUF struct buf text = BUF_INIT(10000);
    struct err err;
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/main.cf", folder);
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", path);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fclose(file);
    for (int i = 0; i < EDITORS; i++)
        if (fork() == 0) {
            for (int n = 0; n < LINES; n++)
                if (!add_line(path, "x = y\n"))
                    _exit(1);
            _exit(0);
        }
    for (int i = 0; i < EDITORS; i++) {
        int status;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_true(file_read_path(path, &text, &err));
    assert_int_equal(text.n, EDITORS * LINES * 6);
    assert_int_not_equal(access(temporary, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_edit), cmocka_unit_test(test_editors_wait_for_each_other)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
