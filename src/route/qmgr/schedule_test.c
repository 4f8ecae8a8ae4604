#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "route/qmgr/entry.h"
#include "route/qmgr/job.h"

static struct transport_rules rules;
static const struct recipient nobody[100];

static void configure(void *context, struct transport *t)
{
    (void)context;
    t->rules = rules;
}

static int set_up(void **state)
{
    struct schedule *s = xcalloc(1, sizeof *s);

    rules = (struct transport_rules){
        .recipient_limit = 50,
        .window = {5, 20, 1, {FEEDBACK_FIXED, 1}, {FEEDBACK_FIXED, 1}},
        .dead_us = SECONDS(60),
        .destination_dead_us = SECONDS(300),
    };
    schedule_init(s, configure, NULL);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    schedule_done(*state);
    free(*state);
    return 0;
}

static struct destination *to(struct schedule *s, const char *nexthop)
{
    return schedule_destination(schedule_transport(s, S("smtp")), slice_text(nexthop), slice_text(nexthop));
}

static void one_message_one_recipient(void **state)
{
    struct schedule *s = *state;
    struct transport *t = schedule_transport(s, S("smtp"));
    struct scheduled m;
    struct entry *e;

    scheduled_init(&m);
    assert_false(entry_wanted(t, 0));
    entry_add(&m, to(s, "a.test"), nobody, 1, &m);
    assert_true(entry_wanted(t, 0));
    assert_false(entry_wanted(t, 1));
    e = entry_choose(t, 1);
    assert_non_null(e);
    assert_ptr_equal(e->owner, &m);
    assert_string_equal(e->destination->nexthop, "a.test");
    assert_false(entry_wanted(t, 0));
    assert_null(entry_choose(t, 1));
    assert_int_equal(m.entries, 1);
    assert_false(entry_finish(e, NULL, 2));
    assert_int_equal(m.entries, 0);
    assert_true(list_empty(&m.jobs));
    assert_int_equal(t->destinations.count, 0);
}

/* Delivers COUNT messages to a.test one after the other, for a second each, from AT_US on: was the last back to back? */
static bool last_is_back_to_back(struct schedule *s, int count, int64_t at_us)
{
    bool was = false;
    struct scheduled m;
    struct entry *e;

    scheduled_init(&m);
    while (schedule_next_wake(s) <= at_us)
        (void)schedule_wake(s, at_us);
    for (int i = 0; i < count; i++)
        entry_add(&m, to(s, "a.test"), nobody, 1, &m);
    for (int i = 0; i < count; i++) {
        e = entry_choose(schedule_transport(s, S("smtp")), at_us + SECONDS(i));
        assert_non_null(e);
        was = e->destination->back_to_back;
        assert_false(entry_finish(e, NULL, at_us + SECONDS(i + 1)));
    }
    return was;
}

static void deliveries_back_to_back(void **state)
{
    struct schedule *s = *state;

    assert_false(last_is_back_to_back(s, 1, SECONDS(1)));
    assert_int_equal(schedule_next_wake(s), INT64_MAX); /* forgotten */
    assert_false(last_is_back_to_back(s, 1, SECONDS(2)));
    assert_true(last_is_back_to_back(s, 2, SECONDS(3)));
    assert_true(last_is_back_to_back(s, 1, SECONDS(5) + SECONDS(1)));
    assert_true(last_is_back_to_back(s, 1, SECONDS(7) + SECONDS(1)));
    assert_int_equal(schedule_next_wake(s), SECONDS(8) + 1); /* looked at again then */
    assert_false(last_is_back_to_back(s, 1, SECONDS(10) + 1));
    assert_int_equal(schedule_next_wake(s), INT64_MAX);
}

static void the_window_bounds(void **state)
{
    struct schedule *s = *state;
    struct transport *t = schedule_transport(s, S("smtp"));
    struct scheduled m[30];
    struct entry *running[30];

    for (int i = 0; i < 30; i++) {
        scheduled_init(&m[i]);
        entry_add(&m[i], to(s, "a.test"), nobody, 1, &m[i]);
    }
    assert_true(entry_wanted(t, 4));
    assert_false(entry_wanted(t, 5));
    for (int i = 0; i < 5; i++) {
        running[i] = entry_choose(t, 1);
        assert_ptr_equal(running[i]->owner, &m[i]); /* oldest first */
    }
    assert_null(entry_choose(t, 1));
    assert_false(entry_finish(running[0], NULL, 2));
    assert_true(entry_wanted(t, 1)); /* 4 run, the window is 6 */
    for (int i = 1; i < 5; i++)
        assert_false(entry_finish(running[i], NULL, 2));
    for (struct entry *e; (e = entry_choose(t, 3)) != NULL;)
        assert_false(entry_finish(e, NULL, 4));
}

static void a_full_destination_does_not_block_others(void **state)
{
    struct schedule *s = *state;
    struct transport *t = schedule_transport(s, S("smtp"));
    struct scheduled big[10], small;
    struct entry *running[5], *e;

    for (int i = 0; i < 10; i++) {
        scheduled_init(&big[i]);
        entry_add(&big[i], to(s, "slow.test"), nobody, 1, &big[i]);
    }
    scheduled_init(&small);
    entry_add(&small, to(s, "quick.test"), nobody, 1, &small);
    for (int i = 0; i < 5; i++)
        running[i] = entry_choose(t, 1);
    e = entry_choose(t, 1);
    assert_ptr_equal(e->owner, &small);
    entry_release(e, 1);
    for (int i = 0; i < 5; i++)
        entry_release(running[i], 2);
    while ((e = entry_take_any(t)) != NULL)
        entry_drop(e);
}

static void destinations_of_a_job_take_turns(void **state)
{
    struct schedule *s = *state;
    struct transport *t = schedule_transport(s, S("smtp"));
    struct scheduled m;
    char order[7] = "";

    scheduled_init(&m);
    for (int i = 0; i < 3; i++)
        entry_add(&m, to(s, "a"), nobody, 50, &m);
    for (int i = 0; i < 3; i++)
        entry_add(&m, to(s, "b"), nobody, 50, &m);
    for (size_t i = 0; i < 6; i++) {
        struct entry *e = entry_choose(t, 1);

        order[i] = e->destination->nexthop[0];
        assert_false(entry_finish(e, NULL, 1));
    }
    assert_int_equal(order[0] + order[1], 'a' + 'b');
    assert_int_equal(order[2] + order[3], 'a' + 'b');
    assert_int_equal(order[4] + order[5], 'a' + 'b');
}

static void a_dead_destination(void **state)
{
    struct schedule *s = *state;
    struct transport *t = schedule_transport(s, S("smtp"));
    struct destination *d = to(s, "dead.test");
    struct scheduled m[8];
    int tried = 0;
    bool died = false;
    struct entry *e;

    for (int i = 0; i < 8; i++) {
        scheduled_init(&m[i]);
        entry_add(&m[i], d, nobody, 1, &m[i]);
    }
    while (!died) {
        e = entry_choose(t, 10);
        died = entry_finish(e, "4.4.1 refused", 10);
        tried++;
    }
    assert_int_equal(tried, 4);
    assert_int_equal(d->rest, DEAD);
    assert_string_equal(d->reason, "4.4.1 refused");
    assert_false(entry_wanted(t, 0));
    assert_int_equal(d->waiting, 4);
    while ((e = entry_take(d)) != NULL) {
        entry_add(e->job->message, schedule_destination(schedule_transport(s, S("retry")), S("x"), S("x")),
                     e->recipients, e->count, e->owner);
        entry_drop(e);
    }
    assert_ptr_equal(map_get(&t->destinations, S("dead.test")), d); /* remembered while it rests */
    assert_true(entry_wanted(schedule_transport(s, S("retry")), 0));
    assert_null(schedule_wake(s, SECONDS(300)));
    assert_int_equal(schedule_next_wake(s), SECONDS(300) + 10);
    assert_ptr_equal(schedule_wake(s, SECONDS(300) + 10), t);
    assert_null(map_get(&t->destinations, S("dead.test")));
    while ((e = entry_choose(schedule_transport(s, S("retry")), 10)) != NULL)
        assert_false(entry_finish(e, NULL, 10));
}

static void a_late_success_revives(void **state)
{
    struct schedule *s = *state;
    struct transport *t = schedule_transport(s, S("smtp"));
    struct scheduled m;
    struct entry *running[5];
    int i;

    scheduled_init(&m);
    for (i = 0; i < 5; i++)
        entry_add(&m, to(s, "a"), nobody, 1, &m);
    for (i = 0; i < 5; i++)
        running[i] = entry_choose(t, 1);
    for (i = 0; i < 4; i++)
        assert_int_equal(entry_finish(running[i], "4.4.1 x", 2), i == 3);
    assert_false(entry_finish(running[4], NULL, 3));
    assert_int_equal(t->destinations.count, 0);
    assert_int_equal(schedule_next_wake(s), INT64_MAX);
}

static void a_dead_transport(void **state)
{
    struct schedule *s = *state;
    struct transport *t = schedule_transport(s, S("smtp"));
    struct scheduled m;
    struct entry *e;

    scheduled_init(&m);
    entry_add(&m, to(s, "a"), nobody, 1, &m);
    entry_add(&m, to(s, "b"), nobody, 1, &m);
    schedule_kill_transport(t, "4.3.0 mail transport unavailable", 0);
    assert_false(entry_wanted(t, 0));
    assert_null(entry_choose(t, 0));
    schedule_revive(s);
    assert_int_equal(t->rest, AWAKE);
    assert_null(t->reason);
    schedule_kill_transport(t, "4.3.0 mail transport unavailable", 0);
    while ((e = entry_take_any(t)) != NULL)
        entry_drop(e);
    assert_int_equal(m.entries, 0);
    assert_ptr_equal(schedule_wake(s, SECONDS(60)), t);
}

static void rate_delays(void **state)
{
    struct schedule *s = *state;
    struct scheduled m;
    struct transport *t;
    struct entry *e;

    rules.rate_delay_us = SECONDS(2);
    rules.window.limit = 20;
    t = schedule_transport(s, S("smtp"));
    scheduled_init(&m);
    entry_add(&m, to(s, "a"), nobody, 1, &m);
    entry_add(&m, to(s, "a"), nobody, 1, &m);
    e = entry_choose(t, 0);
    assert_null(entry_choose(t, 0)); /* one at a time */
    assert_false(entry_finish(e, NULL, 0));
    assert_null(entry_choose(t, SECONDS(1)));
    assert_null(schedule_wake(s, SECONDS(1)));
    assert_ptr_equal(schedule_wake(s, SECONDS(2)), t);
    e = entry_choose(t, SECONDS(2));
    assert_non_null(e);
    assert_false(entry_finish(e, NULL, SECONDS(2)));
    assert_ptr_equal(schedule_wake(s, SECONDS(4)), t);
}

/* Owners are texts of one letter. */
static char large_one[] = "B", small_one[] = "s", later_one[] = "l";

/* Serves all of T's, one at a time, and writes down whose each is. */
static void serve_all(struct transport *t, char *order)
{
    struct entry *e;

    while ((e = entry_choose(t, 1)) != NULL) {
        *order++ = *(const char *)e->owner;
        entry_release(e, 1);
    }
    *order = 0;
}

static void small_jobs_overtake_a_large_one(void **state)
{
    static const struct {
        int cost, loan, discount, minimum;
        unsigned large;
        int64_t unread;
        const char *order;
    } rows[] = {
        {5, 3, 50, 3, 20, 0, "BsBBBBBsBBBBBsBBBBBBBBB"},
        {5, 3, 50, 3, 14, 0, "BBBBBBBBBBBBBBsss"},     /* it would not earn three slots */
        {5, 3, 50, 3, 14, 6, "BsBBBBBsBBBBBsBBB"},     /* it would, with what is not read yet */
        {0, 3, 50, 3, 20, 0, "BBBBBBBBBBBBBBBBBBBBsss"},
        {2, 0, 0, 3, 8, 0, "BBsBBsBBsBB"},             /* paid in advance */
        {2, 0, 50, 3, 8, 0, "BsBBsBBsBBB"},            /* half the price of one is none */
    };
    struct schedule *s = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct scheduled large, small[3];
        struct transport *t;
        char name[] = "smtp0", order[64];

        rules.slot_cost = rows[i].cost;
        rules.slot_loan = rows[i].loan;
        rules.slot_discount_percent = rows[i].discount;
        rules.minimum_slots = rows[i].minimum;
        rules.window.limit = rules.window.initial = 1;
        name[4] = (char)('0' + i);
        t = schedule_transport(s, slice_text(name));
        scheduled_init(&large);
        large.unread = rows[i].unread;
        for (unsigned n = 0; n < rows[i].large; n++)
            entry_add(&large, schedule_destination(t, S("a"), S("a")), nobody, 1, large_one);
        for (int n = 0; n < 3; n++) {
            scheduled_init(&small[n]);
            entry_add(&small[n], schedule_destination(t, S("a"), S("a")), nobody, 1, small_one);
        }
        serve_all(t, order);
        assert_string_equal(order, rows[i].order);
    }
}

/* Who has not used his slots gives them back. */
static void slots_that_are_not_needed(void **state)
{
    struct schedule *s = *state;
    struct scheduled large, small, later;
    struct transport *t;
    char order[64];
    struct entry *e;

    rules.slot_cost = 5;
    rules.slot_loan = rules.minimum_slots = 3;
    rules.slot_discount_percent = 50;
    rules.window.limit = rules.window.initial = 1;
    t = schedule_transport(s, S("smtp"));
    scheduled_init(&large);
    scheduled_init(&small);
    scheduled_init(&later);
    for (int i = 0; i < 30; i++)
        entry_add(&large, to(s, "a"), nobody, 1, large_one);
    e = entry_choose(t, 1);
    entry_release(e, 1);
    for (int i = 0; i < 2; i++)
        entry_add(&small, to(s, "a"), nobody, 1, small_one);
    e = entry_choose(t, 1);
    assert_string_equal(e->owner, "s");
    entry_release(e, 1);
    e = entry_take(to(s, "a")); /* its second goes elsewhere */
    assert_string_equal(e->owner, "s");
    entry_drop(e);
    entry_add(&later, to(s, "a"), nobody, 1, later_one);
    serve_all(t, order);
    assert_memory_equal(order, "BBBBBlB", 7);
}

static void many_messages_to_one_blocked_destination_are_cheap(void **state)
{
    enum { MANY = 20000 };
    struct schedule *s = *state;
    struct transport *t = schedule_transport(s, S("smtp"));
    struct scheduled *m = xcalloc(MANY, sizeof *m);
    struct scheduled other;
    struct entry *running[5], *e;
    int64_t start = clock_monotonic_us();

    for (int i = 0; i < MANY; i++) {
        scheduled_init(&m[i]);
        entry_add(&m[i], to(s, "slow"), nobody, 1, &m[i]);
    }
    for (int i = 0; i < 5; i++)
        running[i] = entry_choose(t, 1);
    scheduled_init(&other);
    for (int i = 0; i < MANY; i++) {
        entry_add(&other, to(s, "quick"), nobody, 1, &other);
        e = entry_choose(t, 1);
        assert_ptr_equal(e->owner, &other);
        assert_false(entry_finish(e, NULL, 1));
    }
    assert_true(clock_monotonic_us() - start < SECONDS(2));
    for (int i = 0; i < 5; i++)
        entry_release(running[i], 1);
    while ((e = entry_take_any(t)) != NULL)
        entry_drop(e);
    free(m);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(one_message_one_recipient),
        CASE(deliveries_back_to_back),
        CASE(the_window_bounds),
        CASE(a_full_destination_does_not_block_others),
        CASE(destinations_of_a_job_take_turns),
        CASE(a_dead_destination),
        CASE(a_late_success_revives),
        CASE(a_dead_transport),
        CASE(rate_delays),
        CASE(small_jobs_overtake_a_large_one),
        CASE(slots_that_are_not_needed),
        CASE(many_messages_to_one_blocked_destination_are_cheap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
