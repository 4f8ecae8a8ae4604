/* route/qmgr/entry.h - recipients that go in one delivery request: from the line to the end of the delivery.
 *
 * Chosen is the entry of the lowest-ranking job that has one at a destination whose window is open; within a job its
 * destinations take turns.  Before that a small job may overtake a large one (job.h).  Nothing here waits.  Depends on: schedule.h. */
#ifndef ROUTE_QMGR_ENTRY_H
#define ROUTE_QMGR_ENTRY_H

#include "route/qmgr/schedule.h"

struct entry {
    struct list queue; /* peer.entries */
    struct job *job;
    struct destination *destination;
    const struct recipient *recipients;
    size_t count;
    void *owner; /* the driver's */
};

/* Puts COUNT recipients of M, within the transport's limit, in line for D as one entry. */
struct entry *entry_add(struct scheduled *m, struct destination *d, const struct recipient *recipients, size_t count,
                        void *owner);

/* Could T start more than BESIDES deliveries now? */
bool entry_wanted(const struct transport *t, unsigned besides);
/* Takes the next entry of T: it is then being delivered.  NULL: none can be. */
struct entry *entry_choose(struct transport *t, int64_t now_us);

/* The end of a chosen entry, which is freed, and perhaps its destination with it.  FAILURE is NULL when the destination
 * answered, else why it did not ("4.4.1 connect to ...").  True: the destination has just been declared dead, still exists,
 * and what waits there should be taken away. */
bool entry_finish(struct entry *e, const char *failure, int64_t now_us);
/* The same without a lesson: the agent, not the destination, failed. */
void entry_release(struct entry *e, int64_t now_us);

/* Takes an entry that has waited, as if for a delivery, whatever rests; NULL when none is left.  The caller ends it with
 * entry_drop() after having put its recipients elsewhere. */
struct entry *entry_take(struct destination *d);
struct entry *entry_take_any(struct transport *t);
/* The end of an entry that was never tried: frees it, and perhaps its destination. */
void entry_drop(struct entry *e);

#endif
