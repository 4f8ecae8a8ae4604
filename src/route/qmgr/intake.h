/* route/qmgr/intake.h - taking messages into the active queue: from incoming/, and from deferred/ when they are due. */
#ifndef ROUTE_QMGR_INTAKE_H
#define ROUTE_QMGR_INTAKE_H

#include "core/base/clock.h"

/* From the beginning of one scan of incoming/ to that of the next, and from a trigger to the next: of mail that comes in
 * quick succession each scan finds more, looks less often at what is not complete yet, and is told of fewer times. */
#define INTAKE_PAUSE_US MILLIS(5)

/* The task that takes messages, one from either queue in turn, for as long as the daemon lives. */
void intake_run(void *unused);

#endif
