#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "route/qmgr/backoff.h"

static void delays(void **state)
{
    static const struct backoff usual = {SECONDS(300), SECONDS(4000), 10};
    static const struct {
        int64_t age, least, most;
    } rows[] = {
        {0, 300, 330},
        {-50, 300, 330},
        {600, 600, 660},
        {100000, 4000, 4400},
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
        cmocka_unit_test(delays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
