/* When files are no longer flushed together. */
#include "mail/queue/commit_pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/clock.h"

enum { USUAL_US = MILLIS(2) };

static void test_one_slow_flush_is_nothing(void **state)
{
    struct commit_pace p = {0};

    (void)state;
    commit_pace_took(&p, USUAL_US, 0);
    for (int i = 0; i < 10; i++) {
        commit_pace_took(&p, SECONDS(1), 0);
        commit_pace_took(&p, MILLIS(51), 0);
        assert_true(commit_pace_allows(&p, 0));
        commit_pace_took(&p, USUAL_US, 0);
    }
    assert_int_equal(p.usual_us, USUAL_US);
}

static void test_three_in_a_row_pause(void **state)
{
    struct commit_pace p = {0};
    int64_t now_us = SECONDS(100);

    (void)state;
    for (int i = 0; i < 3; i++)
        commit_pace_took(&p, MILLIS(251), now_us);
    assert_false(commit_pace_allows(&p, now_us));
    assert_false(commit_pace_allows(&p, now_us + SECONDS(60) - 1));
    assert_true(commit_pace_allows(&p, now_us + SECONDS(60)));

    /* One more, and there is the next pause. */
    now_us += SECONDS(60);
    commit_pace_took(&p, MILLIS(251), now_us);
    assert_false(commit_pace_allows(&p, now_us));

    /* What ends within a pause says nothing; one that is fast, that all is well. */
    commit_pace_took(&p, USUAL_US, now_us);
    now_us += SECONDS(60);
    commit_pace_took(&p, USUAL_US, now_us);
    commit_pace_took(&p, MILLIS(251), now_us);
    assert_true(commit_pace_allows(&p, now_us));
}

static void test_a_disk_may_become_slow(void **state)
{
    struct commit_pace p = {0};
    int64_t now_us = 0;

    (void)state;
    commit_pace_took(&p, USUAL_US, now_us);
    for (int i = 0; i < 3; i++)
        commit_pace_took(&p, MILLIS(60), now_us);
    assert_false(commit_pace_allows(&p, now_us));
    now_us = SECONDS(60);
    for (int i = 0; i < 10; i++)
        commit_pace_took(&p, MILLIS(60), now_us);
    assert_true(commit_pace_allows(&p, now_us));
}

static void test_a_disk_that_is_slow_is_usual(void **state)
{
    struct commit_pace p = {0};

    (void)state;
    for (int i = 0; i < 20; i++)
        commit_pace_took(&p, MILLIS(200), 0);
    assert_true(commit_pace_allows(&p, 0));
}

static void test_failure_pauses_at_once(void **state)
{
    struct commit_pace p = {0};

    (void)state;
    commit_pace_failed(&p, SECONDS(1));
    assert_false(commit_pace_allows(&p, SECONDS(60)));
    assert_true(commit_pace_allows(&p, SECONDS(61)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_slow_flush_is_nothing),
        cmocka_unit_test(test_three_in_a_row_pause),
        cmocka_unit_test(test_a_disk_may_become_slow),
        cmocka_unit_test(test_a_disk_that_is_slow_is_usual),
        cmocka_unit_test(test_failure_pauses_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
