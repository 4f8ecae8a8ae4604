#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/attributes.h"
#include "mail/content/wrap.h"

#define TEN "123456789 "

static const struct {
    const char *name;
    slice in;
    slice lines[4];
} rows[] = {
    {"short", S_INIT("<a@b>: unknown user"), {S_INIT("<a@b>: unknown user")}},
    {"exactly as wide", S_INIT(TEN TEN TEN TEN TEN TEN TEN "123456789"), {S_INIT(TEN TEN TEN TEN TEN TEN TEN "123456789")}},
    {"one byte too many", S_INIT(TEN TEN TEN TEN TEN TEN TEN "1234567890"),
     {S_INIT(TEN TEN TEN TEN TEN TEN "123456789"), S_INIT("    1234567890")}},
    {"indented lines are narrower", S_INIT(TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "123456789"),
     {S_INIT(TEN TEN TEN TEN TEN TEN TEN "123456789"), S_INIT("    " TEN TEN TEN TEN TEN TEN "123456789"),
      S_INIT("    123456789")}},
    {"a word longer than a line", S_INIT("x aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa y"),
     {S_INIT("x"), S_INIT("    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
      S_INIT("    y")}},
};

static void lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf line = BUF_INIT(1000);
        slice rest = rows[i].in;

        for (size_t n = 0; rest.n > 0; n++) {
            wrap_next(&rest, n == 0, 4, &line);
            if (n >= COUNT_OF(rows[i].lines) || !slice_eq(buf_slice(&line), rows[i].lines[n]))
                fail_msg("%s: line %zu is \"%s\"", rows[i].name, n, buf_text(&line));
        }
    }
}

static void blanks_alone_end(void **state)
{
    AUTO_BUF struct buf line = BUF_INIT(1000);
    char blanks[200];
    slice rest = {blanks, sizeof blanks};

    (void)state;
    memset(blanks, ' ', sizeof blanks);
    for (int n = 0; rest.n > 0; n++) {
        assert_true(n < 10);
        wrap_next(&rest, n == 0, 4, &line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines), cmocka_unit_test(blanks_alone_end)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
