/* mail/index/cache.h - an index with its details as bytes of a file, so that whoever starts need not read all messages
 * again.
 *
 * The file is a sequence of blocks, each whole in itself: a head (magic, version, VIEW, length, checksum) and that many
 * bytes of texts and messages; the last one is empty.  VIEW is a number of the user's: what was written with another
 * one is of no use.  A cache may be old or wrong in every way: each message in it goes with the inode, size and time
 * stamp that its file had, and counts only when the file still has them.  Pure.  Depends on: index.h. */
#ifndef MAIL_INDEX_CACHE_H
#define MAIL_INDEX_CACHE_H

#include "core/base/map.h"
#include "mail/index/index.h"

enum { CACHE_HEAD_BYTES = 28, CACHE_PAYLOAD_MOST = 1 << 20, CACHE_TEXTS_MOST = 4096 };

/* ---- writing ---- */
struct cache_writer {
    struct buf texts, messages;
    struct map numbers; /* of the texts */
    size_t text_count, message_count;
};
void cache_writer_init(struct cache_writer *w);
void cache_writer_done(struct cache_writer *w);
/* E is INDEX_KNOWN.  A file that was changed before 1970 is left out. */
void cache_add(struct cache_writer *w, const struct index_entry *e);
/* Time for a block? */
bool cache_is_full(const struct cache_writer *w);
/* Appends what was added as a block to OUT (nothing: the last block), and is empty again. */
void cache_add_block(struct cache_writer *w, uint32_t view, struct buf *out);

/* ---- reading ---- */
struct cache_head {
    uint32_t payload_bytes; /* 0: the last block */
    uint64_t checksum;
};
/* HEAD has CACHE_HEAD_BYTES.  False: no block of ours, or of another version or view. */
bool cache_head_parse(slice head, uint32_t view, struct cache_head *out);
uint64_t cache_checksum(slice payload);

struct cached {
    enum index_queue queue;
    slice id;
    struct index_file file;
    struct shown shown; /* as far as details go */
};
/* Room for the parts of a block; too large for a stack. */
struct cache_room {
    slice texts[CACHE_TEXTS_MOST];
    struct shown_recipient recipients[DETAILS_MOST_RECIPIENTS];
};
typedef void cache_fn(void *context, const struct cached *m);
/* Hands the messages of a payload to EACH, on loan.  False: it is damaged; those in front of the damage have been
 * handed out. */
bool cache_payload_parse(slice payload, struct cache_room *room, cache_fn *each, void *context);

#endif
