/* mail/queue/id.h - queue ids, short and long, and where a message's file lies.
 *
 * Short: %05X of the microseconds, then %lX of the inode.  Long: base-52 seconds and microseconds, 'z', base-51 inode.
 * Source: queue-file.md sections 10, 11.  Pure but for nothing. */
#ifndef MAIL_QUEUE_ID_H
#define MAIL_QUEUE_ID_H

#include "core/base/buf.h"

enum { QUEUE_ID_MOST = 100, QUEUE_PATH_MOST = 256 };

/* A valid id: [A-Za-z0-9_]+, at most 100 here (names up to 255 are legal for flush logs only). */
bool queue_id_valid(slice id);
/* Prints an id for a file created at WALL_US with INODE. */
void queue_id_print(bool long_ids, int64_t wall_us, uint64_t inode, char to[QUEUE_ID_MOST + 1]);
bool queue_id_is_long(slice id);
/* The inode, and for short ids the microseconds only (*WALL_US < 1000000).  False: not an id of either form. */
bool queue_id_parse(slice id, int64_t *wall_us, uint64_t *inode);

/* How deep which queue is hashed; from hash_queue_names and hash_queue_depth. */
struct queue_layout {
    slice hashed_names; /* list, e.g. "deferred, defer" */
    int depth;
};
/* How many hash directories lie between QUEUE and its files. */
int queue_depth(const struct queue_layout *l, slice queue);
/* "deferred/3/3C0FFEE..." into TO, relative to the queue directory.  False: ID is not valid. */
bool queue_path(const struct queue_layout *l, slice queue, slice id, char to[QUEUE_PATH_MOST]);

#endif
