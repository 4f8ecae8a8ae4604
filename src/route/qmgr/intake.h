/* route/qmgr/intake.h - taking messages into the active queue: from incoming/, and from deferred/ when they are due. */
#ifndef ROUTE_QMGR_INTAKE_H
#define ROUTE_QMGR_INTAKE_H

/* The task that takes messages, one from either queue in turn, for as long as the daemon lives. */
void intake_run(void *unused);

#endif
