#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "deliver/smtp/destination.h"

static const struct row {
    const char *text;
    bool good;
    const char *host;
    bool no_mx;
    unsigned port;
} rows[] = {
    {"example.com", true, "example.com", false, 25},
    {"example.com:2525", true, "example.com", false, 2525},
    {"[mail.example.com]", true, "mail.example.com", true, 25},
    {"[127.0.0.1]:2600", true, "127.0.0.1", true, 2600},
    {"[ipv6:::1]:26", true, "::1", true, 26},
    {"[2001:db8::1]", true, "2001:db8::1", true, 25},
    {"example.com:smtp", true, "example.com", false, 25},
    {"", false, NULL, false, 0},
    {"[", false, NULL, false, 0},
    {"[]", false, NULL, false, 0},
    {"[a]b", false, NULL, false, 0},
    {"a:", false, NULL, false, 0},
    {"a:99999", false, NULL, false, 0},
    {"a:0", false, NULL, false, 0},
    {"a b", false, NULL, false, 0},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct destination d = {.port = 7};
        bool good = destination_parse(slice_text(rows[i].text), "smtp", &d);

        if (good != rows[i].good)
            fail_msg("\"%s\": parsed %d", rows[i].text, good);
        if (!good) {
            assert_int_equal(d.port, 7);
            continue;
        }
        if (!slice_eq(d.host, slice_text(rows[i].host)))
            fail_msg("\"%s\": host \"%.*s\"", rows[i].text, S_ARG(d.host));
        assert_int_equal(d.no_mx, rows[i].no_mx);
        assert_int_equal(d.port, rows[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
