/* route/qmgr/deliver.h - deliveries: connecting to agents, handing entries over, learning from the answers. */
#ifndef ROUTE_QMGR_DELIVER_H
#define ROUTE_QMGR_DELIVER_H

#include "route/qmgr/schedule.h"

/* Starts as many deliveries of T as there is work and room for.  Must not suspend; call it whenever either may have
 * changed. */
void deliver_kick(struct transport *t);
/* The same for all transports, and sets the timer for those that rest. */
void deliver_kick_all(void);
/* Sets the timer for the next one whose rest ends. */
void deliver_set_timer(void);

#endif
