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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
