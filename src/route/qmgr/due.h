/* route/qmgr/due.h - the deferred messages by the time at which each is due.  A cache: the files are the truth.
 *
 * About 80 bytes for a message, nothing to do for it until it is due.  A scan of the directory corrects the index: what is
 * met is put or marked as seen, and the end of the scan drops what was not met.  Owns all its memory.
 * Depends on: core/base. */
#ifndef ROUTE_QMGR_DUE_H
#define ROUTE_QMGR_DUE_H

#include "core/base/heap.h"
#include "core/base/slice.h"

struct due_entry {
    struct heap_node node; /* key: due at, wall clock microseconds */
    struct due_entry *next;
    uint64_t inode;
    int64_t size_bytes;
    uint8_t scan, id_bytes;
    char id[];
};

struct due {
    struct heap heap;
    struct due_entry **buckets;
    size_t bucket_count;
    uint8_t scan; /* the current scan's number */
};

void due_init(struct due *d);
void due_done(struct due *d);

/* Adds ID (at most 255 bytes), or changes what is known of it.  Counts as seen. */
void due_put(struct due *d, slice id, int64_t due_us, uint64_t inode, int64_t size_bytes);
/* Harmless when there is no ID. */
void due_remove(struct due *d, slice id);
/* NULL: not known.  Lives until the next change. */
struct due_entry *due_find(const struct due *d, slice id);
/* The one that is due first; NULL: none. */
struct due_entry *due_first(const struct due *d);
size_t due_count(const struct due *d);

static inline slice due_id(const struct due_entry *e)
{
    return (slice){e->id, e->id_bytes};
}

/* A scan begins: everything is unseen. */
void due_scan_begin(struct due *d);
/* Marks ID as seen.  False: not known. */
bool due_seen(struct due *d, slice id);
/* Drops what was not seen. */
void due_scan_end(struct due *d);

/* ---- when to try again ---- */
struct backoff {
    int64_t minimal_us, maximal_us;
    int jitter_percent; /* up to so much is added, so that what failed together does not come back together */
};
/* For a message AGE_US old; RANDOM any number.  At least 0. */
int64_t backoff_delay(const struct backoff *b, int64_t age_us, uint32_t random);

#endif
