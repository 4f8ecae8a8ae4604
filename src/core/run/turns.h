/* core/run/turns.h - one task at a time per name, in the order in which they came.
 *
 * For things that several tasks of this process would otherwise wait for by polling: a mailbox file's lock.  A turn
 * belongs to the task that took it until turns_give(). */
#ifndef CORE_RUN_TURNS_H
#define CORE_RUN_TURNS_H

#include "core/base/map.h"
#include "core/run/task.h"

struct turns {
    struct map named; /* name -> struct turn, while somebody has it or waits */
};

void turns_init(struct turns *t);
/* Nobody may have a turn or wait for one. */
void turns_done(struct turns *t);
/* Suspends until it is the caller's turn at NAME.  ERR_TIMEOUT, ERR_CANCELLED: it is not. */
MUST_CHECK bool turns_take(struct turns *t, slice name, deadline by, struct err *err);
void turns_give(struct turns *t, slice name);

#endif
