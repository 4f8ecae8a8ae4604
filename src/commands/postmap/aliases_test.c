#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "commands/postmap/aliases.h"
#include "core/base/attributes.h"

static const struct row {
    const char *line;
    bool good;
    const char *key, *value;
} rows[] = {
    {"Root: alice", true, "Root", "alice"},
    {"a :  b ,\tc", true, "a", "b, c"},
    {"\"x y\": bob", true, "x y", "bob"},
    {"list: :include:/etc/list", true, "list", ":include:/etc/list"},
    {"cmd: \"|/bin/cat -a, b\"", true, "cmd", "\"|/bin/cat -a, b\""},
    {"a: b (comment, here) , c", true, "a", "b (comment, here), c"},
    {"a\"b\": c", true, "a b", "c"},
    {"\"a b\"c: (x", true, "a b c", "(x"},
    {"a@b: c", false, NULL, NULL},
    {"a%b: c", false, NULL, NULL},
    {"a,b: c", false, NULL, NULL},
    {"(x: y", false, NULL, NULL},
    {"a:", false, NULL, NULL},
    {": b", false, NULL, NULL},
    {"no colon", false, NULL, NULL},
    {"\"open: b", false, NULL, NULL},
    {"a: \"open", true, "a", "\"open"},
};

static void test_lines(void **state)
{
    AUTO_BUF struct buf key = BUF_INIT(1000), value = BUF_INIT(1000);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool good = alias_line_parse(slice_text(rows[i].line), &key, &value) == NULL;

        if (good != rows[i].good)
            fail_msg("\"%s\": parsed %d", rows[i].line, good);
        if (!good)
            continue;
        assert_string_equal(buf_text(&key), rows[i].key);
        assert_string_equal(buf_text(&value), rows[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
