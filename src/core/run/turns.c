#include "core/run/turns.h"

#include <stdlib.h>

#include "core/base/bug.h"

struct turn {
    struct waitq waiting;
    unsigned tasks; /* that have it or wait */
    bool taken;
};

void turns_init(struct turns *t)
{
    map_init(&t->named);
}

void turns_done(struct turns *t)
{
    map_done(&t->named, free);
}

static struct turn *turn_of(struct turns *t, slice name)
{
    struct turn *turn = map_get(&t->named, name);

    if (turn == NULL) {
        turn = xcalloc(1, sizeof *turn);
        waitq_init(&turn->waiting);
        (void)map_set(&t->named, name, turn);
    }
    return turn;
}

static void leave(struct turns *t, slice name, struct turn *turn)
{
    if (--turn->tasks == 0)
        free(map_take(&t->named, name));
    else if (!turn->taken)
        waitq_wake_one(&turn->waiting);
}

bool turns_take(struct turns *t, slice name, deadline by, struct err *err)
{
    struct turn *turn = turn_of(t, name);

    turn->tasks++;
    while (turn->taken) {
        if (!waitq_wait(&turn->waiting, by, err)) {
            leave(t, name, turn);
            return false;
        }
    }
    turn->taken = true;
    return true;
}

void turns_give(struct turns *t, slice name)
{
    struct turn *turn = map_get(&t->named, name);

    if (turn == NULL || !turn->taken)
        bug("a turn is given back that nobody has");
    turn->taken = false;
    leave(t, name, turn);
}
