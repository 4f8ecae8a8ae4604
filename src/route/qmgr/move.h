/* route/qmgr/move.h - where the file of a message goes from the active queue, when it is not removed. */
#ifndef ROUTE_QMGR_MOVE_H
#define ROUTE_QMGR_MOVE_H

#include "route/qmgr/message.h"

/* Moves everything in active/ back to incoming/: what a predecessor left.  Blocks. */
MUST_CHECK bool move_all_back(struct err *err);
/* Tries again to move what could not be moved out of active/; when that fails once more, qmgr.stranded_again_us says when to
 * come again. */
void move_stranded_back(void);
/* M's file cannot be used now, through no fault of its own: to incoming/, for PAUSE_S seconds. */
void move_back(const struct message *m, int64_t pause_s);
/* M's file is damaged: to corrupt/. */
void move_to_corrupt(const struct message *m);
/* M has to wait: to deferred/, until its next attempt; to corrupt/ when an agent has found it damaged. */
void move_to_deferred(const struct message *m);

#endif
