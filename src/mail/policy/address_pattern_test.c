#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mail/policy/address_pattern.h"

static const struct row {
    const char *pattern, *address;
    bool good, has;
    const char *error;
} rows[] = {
    {"127.0.0.2", "127.0.0.2", true, true, NULL},
    {"127.0.0.2", "127.0.0.3", true, false, NULL},
    {"127.0.0.[1..5;7]", "127.0.0.5", true, true, NULL},
    {"127.0.0.[1..5;7]", "127.0.0.6", true, false, NULL},
    {"127.0.0.[1..5;7]", "127.0.0.7", true, true, NULL},
    {"[0..255].[0..255].[0..255].[255]", "192.0.2.255", true, true, NULL},
    {"127.0.0.2", "::1", true, false, NULL},
    {"", "127.0.0.2", false, false, "empty address pattern"},
    {"127.0.0", "127.0.0.2", false, false, "need \".\" at \"127.0.0><\""},
    {"bogus", "127.0.0.2", false, false, "need decimal number 0..255 or \"[\" at \">b<ogus\""},
    {"127.0.0.300", "127.0.0.2", false, false, "need decimal number 0..255 or \"[\" at \"127.0.0.>300<\""},
    {"127.0.0.99999999999", "127.0.0.2", false, false, "need decimal number 0..255 or \"[\" at \"127.0.0.>99999999999<\""},
    {"127.0.0.[5..1]", "127.0.0.2", false, false, "numeric range error at \"127.0.0.[5..>1<]\""},
    {"127.0.0.[1", "127.0.0.2", false, false, "need \";\" or \"]\" at \"127.0.0.[1><\""},
    {"127.0.0.1.", "127.0.0.2", false, false, "garbage after pattern at \"127.0.0.1>.<\""},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct address_pattern p;
        struct endpoint e;
        struct err err;

        assert_true(endpoint_parse(slice_text(rows[i].address), &e));
        if (address_pattern_parse(slice_text(rows[i].pattern), &p, &err) != rows[i].good)
            fail_msg("%s: %s", rows[i].pattern, rows[i].good ? err.text : "taken");
        if (rows[i].good)
            assert_int_equal(address_pattern_has(&p, &e), rows[i].has);
        else
            assert_string_equal(err.text, rows[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
