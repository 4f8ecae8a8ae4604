#include "report/verify/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NOW = 1795788331, DAY = 86400 };
static const struct entry_limits limits = {31 * DAY, 7 * DAY, 3 * DAY, 3 * 3600};

static void texts(void **state)
{
    static const struct {
        const char *text;
        bool good;
        struct entry entry;
    } rows[] = {
        {"0:0:17:delivers to mailbox", true, {VERIFY_OK, 0, 17, S_INIT("delivers to mailbox")}},
        {"3:17:0:Address verification in progress", true, {VERIFY_TODO, 17, 0, S_INIT("Address verification in progress")}},
        {"2:1:2:a: b:c", true, {VERIFY_BOUNCE, 1, 2, S_INIT("a: b:c")}},
        {"1:1:2:", true, {VERIFY_DEFER, 1, 2, S_INIT("")}},
        {"", false, {0}}, {"foo", false, {0}}, {"0:1", false, {0}}, {"0:1:2", false, {0}}, {"4:0:1:x", false, {0}},
        {"0:x:1:x", false, {0}}, {"0:-1:1:x", false, {0}}, {"0::1:x", false, {0}},
        {"0:99999999999999999999:1:x", false, {0}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf out = BUF_INIT(1000);
        struct entry e = {.status = -7};

        assert_int_equal(entry_parse(slice_text(rows[i].text), &e), rows[i].good);
        if (!rows[i].good) {
            assert_int_equal(e.status, -7);
            continue;
        }
        assert_int_equal(e.status, rows[i].entry.status);
        assert_int_equal(e.probed, rows[i].entry.probed);
        assert_int_equal(e.updated, rows[i].entry.updated);
        assert_true(slice_eq(e.reason, rows[i].entry.reason));
        assert_true(entry_print(&e, &out));
        assert_string_equal(buf_text(&out), rows[i].text);
    }
}

static void ages(void **state)
{
    static const struct {
        struct entry e;
        bool wants_probe, counts;
    } rows[] = {
        {{VERIFY_OK, 0, NOW - 6 * DAY, {0}}, false, true},
        {{VERIFY_OK, 0, NOW - 8 * DAY, {0}}, true, true},
        {{VERIFY_OK, NOW - 500, NOW - 8 * DAY, {0}}, false, true},
        {{VERIFY_OK, NOW - 1001, NOW - 8 * DAY, {0}}, true, true},
        {{VERIFY_OK, 0, NOW - 32 * DAY, {0}}, true, false},
        {{VERIFY_OK, NOW - 500, NOW - 32 * DAY, {0}}, false, true},
        {{VERIFY_BOUNCE, 0, NOW - 3600, {0}}, false, true},
        {{VERIFY_DEFER, 0, NOW - 4 * 3600, {0}}, true, true},
        {{VERIFY_BOUNCE, 0, NOW - 4 * DAY, {0}}, true, false},
        {{VERIFY_TODO, NOW - 5, 0, {0}}, false, true},
        {{VERIFY_TODO, NOW - 1005, 0, {0}}, true, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(entry_wants_probe(&rows[i].e, &limits, NOW), rows[i].wants_probe);
        assert_int_equal(entry_counts(&rows[i].e, &limits, NOW), rows[i].counts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(ages)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
