/* route/qmgr/finish.h - the end of entries, of batches, and of a message's stay in the active queue. */
#ifndef ROUTE_QMGR_FINISH_H
#define ROUTE_QMGR_FINISH_H

#include "route/qmgr/message.h"

/* One entry of B has ended (and is freed); perhaps the batch goes too.  Suspends when it was the message's last: reports are asked for, the file
 * is removed or deferred, and the message is freed; or more recipients are read. */
void finish_entry(struct batch *b);
/* After a batch was routed: B may have no entries at all. */
void finish_routed(struct batch *b);
/* The sender was warned of a delay, and wants to know when it is over (confirm_delay_cleared). */
bool finish_confirms_delay(const struct message *m);

#endif
