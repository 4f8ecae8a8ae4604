/* route/qmgr/route.h - from an address to a place in line: resolving recipients and putting them into the schedule.
 *
 * Both functions suspend while trivial-rewrite(8) answers. */
#ifndef ROUTE_QMGR_ROUTE_H
#define ROUTE_QMGR_ROUTE_H

#include "route/qmgr/entry.h"
#include "route/qmgr/message.h"

/* Resolves B's recipients, discards those for the double-bounce address, sorts the rest by destination and schedules
 * them.  Afterwards B->entries says how many entries it has; perhaps none. */
void route_batch(struct batch *b);

/* Puts the waiting entry E, which is dropped, in line at the retry transport, to be deferred with REASON ("4.4.1 text"); if
 * that transport is dead, among qmgr.undeliverable. */
void route_to_retry(struct entry *e, const char *reason);
/* Does so with all that waits for D, or for T. */
void route_away_destination(struct destination *d);
void route_away_transport(struct transport *t);

#endif
