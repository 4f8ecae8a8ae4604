/* commands/postsuper/batch.h - the ids of a queue in the order of their inodes.
 *
 * A directory is read in the order of its hashes.  Who renames or unlinks very many files in that order comes back to each
 * block of inodes again and again, and in each transaction it is written to the journal anew; in the order of inodes it
 * is written once.  For 100,000 messages released from hold that is a quarter of all that is written.  Nothing here
 * suspends. */
#ifndef COMMANDS_POSTSUPER_BATCH_H
#define COMMANDS_POSTSUPER_BATCH_H

#include "core/base/buf.h"
#include "mail/queue/dir.h"

enum { BATCH_MOST = 1000000 /* ids, in some forty bytes each */ };

struct batched;
/* All zero but for the maximum: AUTO_BATCH struct batch b = BATCH_INIT. */
struct batch {
    struct buf texts; /* ids, each with its NUL */
    struct batched *ids;
    size_t count, next, room;
};
#define BATCH_INIT {.texts = BUF_INIT(BATCH_MOST * (QUEUE_ID_MOST + 1))}

void batch_done(struct batch *b);
#define AUTO_BATCH CLEANUP(batch_done)

/* Takes from SCAN what is left of it, at most BATCH_MOST ids, in place of what B had.  False: there was none.  A
 * directory that cannot be read ends the program. */
bool batch_read(struct batch *b, struct queue_scan *scan);
/* False: no more.  *ID lives until the batch is read again. */
bool batch_next(struct batch *b, slice *id);

#endif
