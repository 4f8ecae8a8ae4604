/* One alone, few beside each other, many together; each once; nobody is left when one is cancelled. */
#include "core/run/gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <time.h>

#include <cmocka.h>

enum { LEAST = 3, ROUNDS = 20, TASKS = 12 };

struct item {
    struct gathered place;
    unsigned done;
};

static _Atomic unsigned alone_jobs, together_jobs, together_items, under_way, most_under_way;

static void take_a_while(void)
{
    unsigned now = ++under_way;

    if (now > most_under_way)
        most_under_way = now;
    (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    under_way--;
}

static void alone(struct gathered *one)
{
    alone_jobs++;
    take_a_while();
    CONTAINER_OF(one, struct item, place)->done++;
}

static void together(struct gathered *first)
{
    unsigned n = 0;

    together_jobs++;
    take_a_while();
    for (; first != NULL; first = first->next, n++)
        CONTAINER_OF(first, struct item, place)->done++;
    assert_in_range(n, LEAST, TASKS);
    together_items += n;
}

static struct gathering gathering = {.least = LEAST, .alone = alone, .together = together};

static void visit(void *arg)
{
    struct err err;

    for (int i = 0; i < *(int *)arg; i++) {
        struct item me = {0};

        gather_run(&gathering, &me.place);
        assert_int_equal(me.done, 1);
        if (!task_yield(&err))
            return;
    }
}

struct play {
    int tasks, rounds;
    bool cancel;
};

static void play(void *arg)
{
    const struct play *p = arg;
    int rounds = p->rounds;
    struct task_group group;
    struct err err;

    alone_jobs = together_jobs = together_items = most_under_way = 0;
    group_init(&group);
    for (int i = 0; i < p->tasks; i++)
        assert_true(group_spawn(&group, "visitor", visit, &rounds, &err));
    if (p->cancel) {
        assert_true(task_sleep(deadline_in(MILLIS(5)), &err));
        group_cancel(&group);
    }
    assert_true(group_wait(&group, NEVER, &err));
    assert_false(gathering.busy);
    assert_null(gathering.first);
}

static void run(struct play p)
{
    struct err err;

    assert_true(loop_run(play, &p, &err));
}

static void one_goes_alone(void **state)
{
    (void)state;
    run((struct play){.tasks = 1, .rounds = ROUNDS});
    assert_int_equal(alone_jobs, ROUNDS);
    assert_int_equal(together_jobs, 0);
}

static void two_go_beside_each_other(void **state)
{
    (void)state;
    run((struct play){.tasks = 3, .rounds = ROUNDS}); /* one leads, two have come meanwhile */
    assert_int_equal(alone_jobs, 3 * ROUNDS);
    assert_int_equal(together_jobs, 0);
    assert_in_range(most_under_way, 1, 2);
}

static void many_go_together(void **state)
{
    (void)state;
    run((struct play){.tasks = TASKS, .rounds = ROUNDS});
    assert_int_equal(alone_jobs + together_items, TASKS * ROUNDS);
    assert_true(together_items >= TASKS * ROUNDS / 2);
    assert_true(together_jobs <= together_items / LEAST);
}

static void the_cancelled_are_done(void **state)
{
    (void)state;
    run((struct play){.tasks = TASKS, .rounds = 1000, .cancel = true});
    assert_true(alone_jobs + together_items >= TASKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_goes_alone),
        cmocka_unit_test(two_go_beside_each_other),
        cmocka_unit_test(many_go_together),
        cmocka_unit_test(the_cancelled_are_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
