/* route/qmgr/intake.h - taking messages into the active queue: from incoming/, and from deferred/ when they are due. */
#ifndef ROUTE_QMGR_INTAKE_H
#define ROUTE_QMGR_INTAKE_H

#include "route/qmgr/state.h"

/* Moves everything in active/ back to incoming/: what a predecessor left.  Blocks. */
MUST_CHECK bool intake_recover(struct err *err);
/* The task that takes messages, one from either queue in turn, for as long as the daemon lives. */
void intake_run(void *unused);
/* The task that reads deferred/ at start, when asked and every queue_run_delay, in slices. */
void intake_rescan(void *unused);

/* Reads more recipients of M, at least one unless the file is unusable, and routes them.  Suspends. */
void intake_read_more(struct message *m);

#endif
