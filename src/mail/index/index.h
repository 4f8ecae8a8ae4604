/* mail/index/index.h - the messages that wait in deferred/ and hold/, in memory.  A cache: the files are the truth.
 *
 * Tier 1, of each message: its queue, inode, size, time stamp, and when it is due; about 130 bytes, nothing to do for
 * it until then.  Tier 2, its details: what a listing shows of it.  They are learnt later; until then the message is
 * wanted (somebody should read its file), being read, or unread (too much to keep, or it could not be read).  What changes of
 * the file makes it wanted again; so does a move to the other queue, unless its details are known.
 *
 * A scan of the folders corrects the index: what is met is put or marked as seen, and the sweep at its end drops what
 * was not met.  A cursor goes through a queue, and lives through whatever happens to the index meanwhile: each message
 * that is there from beginning to end is met once.  Owns all its memory; cannot fail; pure.  Depends on: details.h. */
#ifndef MAIL_INDEX_INDEX_H
#define MAIL_INDEX_INDEX_H

#include "core/base/heap.h"
#include "mail/index/details.h"

enum index_queue { INDEX_DEFERRED, INDEX_HOLD, INDEX_QUEUES };
enum index_state {
    INDEX_WANTED,  /* in the line of those to be read */
    INDEX_READING, /* taken from it */
    INDEX_KNOWN,   /* has its details */
    INDEX_UNREAD,  /* has none, and will have none unless it changes or moves */
};

/* What tells one file from another, and from itself when it has changed. */
struct index_file {
    uint64_t inode;
    int64_t bytes, changed_us /* mtime, in whole seconds */;
    bool forced_expire;
};

struct index_entry {
    struct heap_node due; /* only of INDEX_DEFERRED; key: due at, wall clock microseconds */
    struct index_entry *next;
    struct list same_queue;
    union {
        struct list line;        /* INDEX_WANTED */
        struct details *details; /* INDEX_KNOWN */
    };
    uint64_t inode;
    int64_t bytes, changed_us;
    uint8_t scan, queue, state, id_bytes;
    bool forced_expire;
    bool pressed; /* flushed: whatever failed before does not count */
    bool has_more_names; /* its file, when it was last looked at; for the user */
    char id[];
};

struct index {
    struct heap due;
    struct index_entry **buckets;
    size_t count, bucket_count, half_count;
    struct list queues[INDEX_QUEUES];
    size_t counts[INDEX_QUEUES], known;
    struct list wanted;
    struct interned_set texts;
    uint64_t changes; /* ever: puts and removals that changed something, and details learnt */
    uint8_t scan;     /* the current scan's number */
};

void index_init(struct index *ix);
void index_done(struct index *ix);

/* Adds ID (1 to 255 bytes), or changes what is known of it.  Counts as seen.  A message that is due at DUE_US = 0 is
 * due at once.  Details are kept when FILE is as before; without them it is wanted again when it changes QUEUE. */
struct index_entry *index_put(struct index *ix, enum index_queue queue, slice id, const struct index_file *file,
                              int64_t due_us);
/* Harmless when there is no ID. */
void index_remove(struct index *ix, slice id);
/* NULL: not known.  Lives until the next change. */
struct index_entry *index_find(const struct index *ix, slice id);
/* The one that is due first; NULL: none. */
struct index_entry *index_first_due(const struct index *ix);
/* Is FILE what E is about?  Its forced_expire does not matter. */
bool index_is_file(const struct index_entry *e, const struct index_file *file);

/* Is everything that it has INDEX_KNOWN? */
static inline bool index_is_complete(const struct index *ix)
{
    return ix->known == ix->count;
}

static inline slice index_id(const struct index_entry *e)
{
    return (slice){e->id, e->id_bytes};
}

/* ---- details ---- */
/* The next message whose file should be read: it is INDEX_READING then.  NULL: none. */
struct index_entry *index_take_wanted(struct index *ix);
/* What was read of E, which was wanted or being read; NULL, or too much to keep: it stays unread. */
void index_learn(struct index *ix, struct index_entry *e, const struct shown *m);

/* ---- scans ---- */
/* A scan begins: everything is unseen. */
void index_scan_begin(struct index *ix);
/* Marks ID as seen in QUEUE.  False: not known to be there. */
bool index_seen(struct index *ix, enum index_queue queue, slice id);
/* Does the scan that ended know of E? */
bool index_was_seen(const struct index *ix, const struct index_entry *e);
void index_drop(struct index *ix, struct index_entry *e);

/* ---- cursors ---- */
struct index_cursor {
    struct index_entry at, end; /* in the queue's list, and no messages */
};
/* From the first to the last message that QUEUE has now. */
void index_cursor_begin(struct index *ix, enum index_queue queue, struct index_cursor *c);
/* NULL: no more.  E lives until the next change. */
struct index_entry *index_cursor_next(struct index_cursor *c);
void index_cursor_end(struct index_cursor *c);

#endif
