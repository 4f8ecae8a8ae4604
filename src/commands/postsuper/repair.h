/* commands/postsuper/repair.h - puts the queue in order: files where hash_queue_names and their inodes want them.
 *
 * Names are changed in two steps, OLD to NEW#FIX to NEW, logs before the message: while some files still have wrong
 * names, a NEW may be the wrong name of another.  Whatever a step leaves when it is cut short, the next run (ours or
 * Postfix's) goes on from there.  The queue manager sees no name with a #.  Nothing is renamed over another message.
 * Nothing here suspends. */
#ifndef COMMANDS_POSTSUPER_REPAIR_H
#define COMMANDS_POSTSUPER_REPAIR_H

#include "commands/postsuper/place.h"
#include "core/base/err.h"

struct repair {
    const struct queue_layout *layout;
    const struct places_asked *where;
    bool long_ids;   /* enable_long_queue_ids; without, long ids are made short */
    bool structure;  /* -s */
    bool check_long; /* -S: the inode in a long id too */
    bool purge;      /* -p: files that nobody completed in a week */
    bool verbose;
    int64_t renamed; /* result: messages that have another id now */
    bool unfinished; /* names with #FIX, and files whose place was taken by one with a wrong name */
    bool finishing;  /* the second walk */
};

/* Walks all places asked for.  Names that belong to no message are warned of. */
MUST_CHECK bool repair_run(struct repair *r, struct err *err);

#endif
