#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>

#include "core/base/clock.h"
#include "route/qmgr/due.h"

static void in_order_of_time(void **state)
{
    struct due d;

    (void)state;
    due_init(&d);
    assert_null(due_first(&d));
    assert_null(due_find(&d, S("A")));
    due_put(&d, S("A"), 30, 1, 100);
    due_put(&d, S("B"), 10, 2, 100);
    due_put(&d, S("C"), 20, 3, 100);
    assert_true(slice_eq(due_id(due_first(&d)), S("B")));
    due_put(&d, S("B"), 40, 2, 100);
    assert_true(slice_eq(due_id(due_first(&d)), S("C")));
    due_remove(&d, S("C"));
    due_remove(&d, S("nobody"));
    assert_true(slice_eq(due_id(due_first(&d)), S("A")));
    assert_int_equal(due_count(&d), 2);
    due_done(&d);
}

static void a_scan_drops_what_is_gone(void **state)
{
    struct due d;

    (void)state;
    due_init(&d);
    due_put(&d, S("A"), 30, 1, 100);
    due_put(&d, S("B"), 10, 2, 100);
    due_scan_begin(&d);
    assert_true(due_seen(&d, S("A")));
    assert_false(due_seen(&d, S("C")));
    due_put(&d, S("D"), 5, 2, 100); /* deferred while the scan went on */
    due_scan_end(&d);
    assert_int_equal(due_count(&d), 2);
    assert_null(due_find(&d, S("B")));
    assert_non_null(due_find(&d, S("D")));
    for (int i = 0; i < 300; i++) { /* scan numbers wrap */
        due_scan_begin(&d);
        assert_true(due_seen(&d, S("A")));
        assert_true(due_seen(&d, S("D")));
        due_scan_end(&d);
    }
    assert_int_equal(due_count(&d), 2);
    due_done(&d);
}

static size_t bytes_in_use(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

static void a_million_fits(void **state)
{
    enum { MANY = 1000000 };
    struct due d;
    size_t before = bytes_in_use();

    (void)state;
    due_init(&d);
    for (unsigned i = 0; i < MANY; i++) {
        char id[32];
        int n = snprintf(id, sizeof id, "%05X%lX", i * 7919 % 1000000, 0xA0000000ul + i);

        due_put(&d, slice_of(id, (size_t)n), (int64_t)(i * 2654435761u), i, 1000);
    }
    assert_int_equal(due_count(&d), MANY);
    assert_true(bytes_in_use() - before < (size_t)150 * 1000 * 1000);
    for (int64_t last = -1; due_count(&d) > MANY - 1000;) {
        assert_true(due_first(&d)->node.key >= last);
        last = due_first(&d)->node.key;
        due_remove(&d, due_id(due_first(&d)));
    }
    due_done(&d);
}

static void delays(void **state)
{
    static const struct backoff usual = {SECONDS(300), SECONDS(4000), 10};
    static const struct {
        int64_t age, least, most;
    } rows[] = {
        {0, 300, 330}, {-50, 300, 330}, {600, 600, 660}, {100000, 4000, 4400},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint32_t random = 0; random < 1000; random++) {
            int64_t delay = backoff_delay(&usual, SECONDS(rows[i].age), random * 4294967u);

            assert_true(delay >= SECONDS(rows[i].least) && delay <= SECONDS(rows[i].most));
        }
    }
    assert_int_equal(backoff_delay(&(struct backoff){SECONDS(10), SECONDS(10), 0}, 0, 12345), SECONDS(10));
    assert_int_equal(backoff_delay(&(struct backoff){0, 0, 10}, SECONDS(5), 12345), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_of_time),
        cmocka_unit_test(a_scan_drops_what_is_gone),
        cmocka_unit_test(a_million_fits),
        cmocka_unit_test(delays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
