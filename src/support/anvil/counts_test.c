#include "support/anvil/counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/clock.h"

static char said[1000];

static void say(const char *line)
{
    size_t n = strlen(said);

    (void)snprintf(said + n, sizeof said - n, "%.*s|", (int)(strstr(line, " at ") - line), line);
}

static void counting(void **state)
{
    struct counts c;

    (void)state;
    counts_init(&c, SECONDS(60));
    assert_null(counts_find(&c, S("smtp:a")));
    counts_connect(&c, S("smtp:a"));
    counts_connect(&c, S("smtp:a"));
    counts_disconnect(&c, S("smtp:a"));
    counts_disconnect(&c, S("smtp:b")); /* never came */
    assert_int_equal(counts_find(&c, S("smtp:a"))->open, 1);
    assert_int_equal(counts_find(&c, S("smtp:a"))->rates[COUNT_CONNECT], 2);
    assert_int_equal(counts_event(&c, S("smtp:a"), COUNT_MESSAGE), 1);
    assert_int_equal(counts_event(&c, S("smtp:b"), COUNT_MESSAGE), 1);
    assert_int_equal(counts_event(&c, S("smtp:b"), COUNT_MESSAGE), 2);

    said[0] = '\0';
    counts_report(&c, say);
    assert_string_equal(said, "statistics: max connection rate 2/60s for (smtp:a)|"
                              "statistics: max connection count 2 for (smtp:a)|"
                              "statistics: max message rate 2/60s for (smtp:b)|"
                              "statistics: max cache size 2|");
    said[0] = '\0';
    counts_report(&c, say);
    assert_string_equal(said, "");
    counts_done(&c);
}

static void time_goes_by(void **state)
{
    struct counts c;

    (void)state;
    counts_init(&c, SECONDS(60));
    counts_connect(&c, S("a"));
    (void)counts_event(&c, S("b"), COUNT_AUTH);
    counts_of(&c, S("a"))->since_us -= SECONDS(61);
    counts_of(&c, S("b"))->since_us -= SECONDS(61);
    counts_prune(&c);
    assert_null(counts_find(&c, S("b")));
    assert_int_equal(counts_find(&c, S("a"))->open, 1); /* connected: stays */
    assert_int_equal(counts_find(&c, S("a"))->rates[COUNT_CONNECT], 0);
    counts_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counting), cmocka_unit_test(time_goes_by)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
