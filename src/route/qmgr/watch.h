/* route/qmgr/watch.h - tells what others do in the folders of queues.
 *
 * By inotify: names that come, go or change in a queue and its folders of one letter.  What the kernel cannot tell (too
 * many folders, too many events) ends in a call for another look at everything.  What is told of several queues comes
 * in the order in which it happened, what follows other events up to 50 ms late, what follows very many as soon as others
 * have run.  A watch belongs to one loop, and lives as
 * long as the process; its callbacks come from the loop (or from watch_catch_up) and must not suspend.  Depends on:
 * core/run, mail/queue. */
#ifndef ROUTE_QMGR_WATCH_H
#define ROUTE_QMGR_WATCH_H

#include "core/base/err.h"
#include "core/base/slice.h"

enum watch_change { WATCH_CAME, WATCH_CREATED, WATCH_CHANGED, WATCH_WENT, WATCH_REMOVED, WATCH_MOVED };

/* A name, a valid id, in one of the folders of a queue.  WATCH_CREATED: a new file, most likely not written yet, or a link;
 * WATCH_CHANGED: also when somebody who wrote has closed it.  WATCH_WENT: it was moved to somewhere; WATCH_MOVED: to another
 * folder that is watched, in one step. */
struct watch_seen {
    slice name;
    enum watch_change change;
    unsigned queue;     /* its number */
    const char *folder; /* "deferred/3" */
    unsigned to_queue;  /* of WATCH_MOVED */
    const char *to_folder;
};
typedef void watch_fn(const struct watch_seen *seen);

struct watch;
/* MISSED: something was missed, and all queues should be looked at again.  NULL: nothing can be watched. */
struct watch *watch_open(watch_fn *tell, void (*missed)(void), struct err *err);
/* Watches QUEUE (a literal), which is told of as NUMBER.  MOVED_ONLY: nothing but names that are moved there is told.
 * False: it cannot be watched at all. */
MUST_CHECK bool watch_queue(struct watch *w, const char *queue, unsigned number, bool moved_only, struct err *err);
/* Are all folders watched?  Some are not when there are too many for the kernel, or they could not be read. */
bool watch_is_whole(const struct watch *w);
/* Tells some of what has happened by now.  False: all has been told. */
bool watch_catch_up(struct watch *w);

#endif
