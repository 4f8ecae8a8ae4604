/* route/qmgr/watch.h - tells what others do in the folders of queues.
 *
 * By inotify: names that come, go or change in a queue and its folders of one letter.  What the kernel cannot tell (too
 * many folders, too many events) ends in a call for another look at everything.  What is told of several queues comes
 * in the order in which it happened, what follows other events up to 50 ms late.  A watch belongs to one loop, and lives as
 * long as the process; its callbacks come from the loop (or from watch_catch_up) and must not suspend.  Depends on:
 * core/run, mail/queue. */
#ifndef ROUTE_QMGR_WATCH_H
#define ROUTE_QMGR_WATCH_H

#include "core/base/err.h"
#include "core/base/slice.h"

enum watch_change { WATCH_CAME, WATCH_CHANGED, WATCH_WENT };

/* What is done when NAME, a valid id, has come to one of a queue's folders, has changed there, or has gone. */
typedef void watch_fn(slice name, enum watch_change change);

struct watch;
/* MISSED: something was missed, and all queues should be looked at again.  NULL: nothing can be watched. */
struct watch *watch_open(void (*missed)(void), struct err *err);
/* Watches QUEUE (a literal).  MOVED_ONLY: nothing but names that are moved there is told.  False: it cannot be watched
 * at all. */
MUST_CHECK bool watch_queue(struct watch *w, const char *queue, bool moved_only, watch_fn *tell, struct err *err);
/* Are all folders watched?  Some are not when there are too many for the kernel, or they could not be read. */
bool watch_is_whole(const struct watch *w);
/* Tells some of what has happened by now.  False: all has been told. */
bool watch_catch_up(struct watch *w);

#endif
