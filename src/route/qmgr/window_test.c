#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/attributes.h"
#include "route/qmgr/window.h"

static void assert_row(const char *name, bool holds)
{
    if (!holds)
        fail_msg("row: %s", name);
}

static const struct window_rules usual = {5, 20, 1, {FEEDBACK_FIXED, 1}, {FEEDBACK_FIXED, 1}};

static void feedback_forms(void **state)
{
    static const struct {
        const char *name;
        slice text;
        bool good;
        int window;
        double value;
    } rows[] = {
        {"plain one", S_INIT("1"), true, 5, 1},
        {"half", S_INIT("0.5"), true, 5, 0.5},
        {"by concurrency", S_INIT("1/concurrency"), true, 4, 0.25},
        {"by its root, with blanks", S_INIT(" 1 / sqrt_concurrency "), true, 4, 0.5},
        {"never above one", S_INIT("20/concurrency"), true, 4, 1},
        {"too big", S_INIT("2"), false, 0, 0},
        {"negative", S_INIT("-1"), false, 0, 0},
        {"no number", S_INIT("/concurrency"), false, 0, 0},
        {"other divisor", S_INIT("1/windows"), false, 0, 0},
        {"not a number", S_INIT("nan"), false, 0, 0},
        {"empty", S_INIT(""), false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct feedback f;

        assert_row(rows[i].name, feedback_parse(rows[i].text, &f) == rows[i].good);
        if (rows[i].good) {
            double off = feedback_value(&f, rows[i].window) - rows[i].value;

            assert_row(rows[i].name, off < 1e-6 && off > -1e-6);
        }
    }
}

static void opens_by_one_for_each_success(void **state)
{
    struct window w;

    (void)state;
    window_open(&w, &usual);
    assert_int_equal(w.size, 5);
    for (int busy = 4; busy < 10; busy++)
        window_success(&w, &usual, busy);
    assert_int_equal(w.size, 11);
    for (int i = 0; i < 50; i++)
        window_success(&w, &usual, 30);
    assert_int_equal(w.size, 20);
}

static void stays_when_not_used(void **state)
{
    struct window w;

    (void)state;
    window_open(&w, &usual);
    for (int i = 0; i < 50; i++)
        window_success(&w, &usual, 0);
    assert_int_equal(w.size, 5);
}

static void dies_after_one_failed_cohort(void **state)
{
    struct window w;
    int failures = 1;

    (void)state;
    window_open(&w, &usual);
    while (!window_failure(&w, &usual))
        failures++;
    /* 1/5 + 1/4 + 1/3 + 1/2: the window shrinks while it fails. */
    assert_int_equal(failures, 4);
    window_recover(&w, &usual, 7);
    assert_int_equal(w.size, 7);
    window_recover(&w, &usual, 0);
    assert_int_equal(w.size, 5);
}

static void success_forgives(void **state)
{
    struct window w;

    (void)state;
    window_open(&w, &usual);
    for (int i = 0; i < 100; i++) {
        assert_false(window_failure(&w, &usual));
        window_success(&w, &usual, 5);
    }
}

static void limit_below_initial(void **state)
{
    struct window_rules local = usual;
    struct window w;

    (void)state;
    local.limit = 2;
    window_open(&w, &local);
    assert_int_equal(w.size, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feedback_forms),         cmocka_unit_test(opens_by_one_for_each_success),
        cmocka_unit_test(stays_when_not_used),    cmocka_unit_test(dies_after_one_failed_cohort),
        cmocka_unit_test(success_forgives),       cmocka_unit_test(limit_below_initial),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
