/* mail/index/shown.h - what a listing of the queue shows of a message, read from its files.
 *
 * Recipients that the deferral log names come first, with their reasons, in the log's order; then those of the file
 * that are neither done nor named.  Addresses are in external form, fit for a terminal: no NUL and no line ends.  An
 * empty address stays empty; whoever shows it puts empty_address_recipient there.  Everything here blocks and does not
 * suspend; it may run on a helper thread.  Depends on: mail/queue, mail/events. */
#ifndef MAIL_INDEX_SHOWN_H
#define MAIL_INDEX_SHOWN_H

#include <sys/stat.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "mail/queue/id.h"

struct shown_recipient {
    slice address, reason; /* no reason: empty */
};

struct shown {
    int64_t arrival_s, message_bytes;
    bool forced_expire;
    slice sender;
    struct shown_recipient *recipients;
    size_t count;
    struct stat st; /* of the file, before it was read */

    struct arena arena;
    struct buf log;
    size_t cap, most;
};

/* Before the first shown_read, each of which reads at most MOST recipients; SHOWN_ALL: as many as a file can have. */
enum { SHOWN_ALL = 1 << 20 };
void shown_init(struct shown *m, size_t most);
void shown_done(struct shown *m);
#define AUTO_SHOWN CLEANUP(shown_done)

/* SHOWN_ABSENT: gone, not complete, or nothing that can be shown.  SHOWN_PART: M has a part, since there are more than
 * MOST recipients, or the log cannot be read.  SHOWN_FAILED: the file is there and cannot be opened, *ERR tells why. */
enum shown_got { SHOWN_READ, SHOWN_ABSENT, SHOWN_PART, SHOWN_FAILED };
/* Reads the message ID, whose file is at PATH.  Texts live until the next call. */
MUST_CHECK enum shown_got shown_read(struct shown *m, const struct queue_layout *l, slice id, const char *path,
                                     struct err *err);

#endif
