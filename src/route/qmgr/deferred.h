/* route/qmgr/deferred.h - what lies in deferred/ and hold/, and what others do there and in incoming/. */
#ifndef ROUTE_QMGR_DEFERRED_H
#define ROUTE_QMGR_DEFERRED_H

#include <sys/stat.h>

#include "route/qmgr/state.h"

/* The task that reads deferred/ and hold/ at start, and again when asked and every queue_run_delay, in slices. */
void deferred_run(void *unused);

/* A message that is due. */
struct deferred {
    char id[QUEUE_ID_MOST + 1], path[QUEUE_PATH_MOST];
    struct stat st;
};
/* Takes what is due first out of the index.  DUE_NOT_NOW: the index was wrong about it and has been corrected. */
enum deferred_got { DEFERRED_DUE, DEFERRED_NOT_NOW, DEFERRED_NONE };
enum deferred_got deferred_next(struct deferred *out);

/* This queue manager has put ID, whose file ST describes but for its time stamp, into deferred/, due at UNTIL_US. */
void deferred_put(slice id, const struct stat *st, int64_t until_us);
/* ID, which deferred_next() told of, cannot be taken before AT_US.  Its file is as ST says. */
void deferred_put_off(slice id, const struct stat *st, int64_t at_us);
/* What waits in deferred/ is tried now, as if nothing had failed. */
void deferred_press(struct index_entry *e);
/* When the file that ST describes is due. */
int64_t deferred_until(const struct stat *st);
/* Is that over? */
bool deferred_is_over(int64_t until_us);
/* Does ST describe a file of somebody else's that has just changed?  Most likely it is being copied, and given to our user
 * at the end. */
bool deferred_is_being_put(const struct stat *st);

/* Sees all that others have done by now.  False: the index may be wrong, since it has not been read yet or something
 * was missed; or the task is cancelled.  Suspends only to let others run. */
bool deferred_is_current(void);

#endif
