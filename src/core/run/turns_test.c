/* One at a time, in order; a waiter that gives up lets the others by. */
#include "core/run/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/base/cut.h"

enum { TASKS = 5 };

struct scene {
    struct turns turns;
    char order[100];
    int inside, most, next;
    int64_t patience_us[TASKS]; /* 0: for ever */
};

static void visit(void *arg)
{
    struct scene *s = arg;
    int me = s->next++;
    struct err err;

    if (!turns_take(&s->turns, S("box"), s->patience_us[me] > 0 ? deadline_in(s->patience_us[me]) : NEVER, &err)) {
        assert_int_equal(err.kind, ERR_TIMEOUT);
        return;
    }
    s->inside++;
    if (s->inside > s->most)
        s->most = s->inside;
    (void)snprintf(s->order + strlen(s->order), sizeof s->order - strlen(s->order), "%d", me);
    assert_true(task_sleep(deadline_in(MILLIS(5)), &err));
    s->inside--;
    turns_give(&s->turns, S("box"));
}

static void play(void *arg)
{
    struct scene *s = arg;
    struct task_group group;
    struct err err;

    group_init(&group);
    for (int i = 0; i < TASKS; i++)
        assert_true(group_spawn(&group, "visitor", visit, s, &err));
    assert_true(group_wait(&group, NEVER, &err));
    assert_true(turns_take(&s->turns, S("box"), AT_ONCE, &err)); /* another name is not in the way, nor what is over */
    assert_true(turns_take(&s->turns, S("other"), AT_ONCE, &err));
    turns_give(&s->turns, S("box"));
    turns_give(&s->turns, S("other"));
    assert_int_equal(s->turns.named.count, 0);
}

static void run(struct scene *s)
{
    struct err err;

    turns_init(&s->turns);
    assert_true(loop_run(play, s, &err));
    turns_done(&s->turns);
}

static void test_in_order(void **state)
{
    struct scene s = {.most = 0};

    (void)state;
    run(&s);
    assert_string_equal(s.order, "01234");
    assert_int_equal(s.most, 1);
}

static void test_impatient(void **state)
{
    struct scene s = {.patience_us = {[1] = 1000, [3] = 1000}};

    (void)state;
    run(&s);
    assert_string_equal(s.order, "024");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_order), cmocka_unit_test(test_impatient)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
