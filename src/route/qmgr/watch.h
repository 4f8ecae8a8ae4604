/* route/qmgr/watch.h - tells what others do in the folders of a queue.
 *
 * By inotify: names that come, go or change in QUEUE and its folders of one letter.  What the kernel cannot tell (too many
 * folders, too many events) ends in a call for another look at everything.  One watch belongs to one loop; its callbacks
 * come from the loop and must not suspend.  Depends on: core/run, mail/queue. */
#ifndef ROUTE_QMGR_WATCH_H
#define ROUTE_QMGR_WATCH_H

#include "core/base/err.h"
#include "core/base/slice.h"

enum watch_change { WATCH_CAME, WATCH_CHANGED, WATCH_WENT };

struct watch_calls {
    /* NAME, a valid id, has come to one of the queue's folders, has changed there, or has gone. */
    void (*name)(slice name, enum watch_change change);
    /* Something was missed: all of the queue should be looked at again. */
    void (*missed)(void);
};

/* Watches QUEUE (a literal) for as long as the process lives.  False: it cannot be watched at all. */
MUST_CHECK bool watch_queue(const char *queue, const struct watch_calls *calls, struct err *err);

#endif
