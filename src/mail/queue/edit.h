/* mail/queue/edit.h - what a person does to a message in the queue: remove it, move it, have it expire.
 *
 * The queue manager works meanwhile: a message may be gone from where it was seen a moment ago, which is
 * QUEUE_EDIT_ABSENT and no error.  Files that are still being written are absent too: whoever writes them has promised
 * nothing yet, and shall not find that he promised for a file that is gone.  Each change is one rename, unlink or
 * fchmod, so that a process may die between any two of them and nothing is lost.  Paths are relative to the queue
 * directory.  Everything here blocks and does not suspend. */
#ifndef MAIL_QUEUE_EDIT_H
#define MAIL_QUEUE_EDIT_H

#include "mail/queue/dir.h"

enum queue_edit {
    QUEUE_EDIT_DONE,
    QUEUE_EDIT_ABSENT,    /* no complete file of that id in that queue */
    QUEUE_EDIT_UNCHANGED, /* it is there, and is as wanted already */
    QUEUE_EDIT_FAILED,    /* *ERR is set; the message is where it was */
};

/* Removes QUEUE/ID and then its logs, in defer/ and, with RARE_LOGS, in bounce/ and trace/ (without, the caller looks
 * through those folders itself, which is cheaper for very many messages): logs without a message harm nobody, a message
 * without its logs would owe its sender a report.  The file is held open meanwhile, so that no new message can get its
 * inode, and with it the id and the logs. */
enum queue_edit queue_edit_remove(const struct queue_layout *l, slice queue, slice id, bool rare_logs, struct err *err);

/* Moves FROM/ID to TO/ID, never over another message (err->sys == EEXIST).  When both names are of one file, which a
 * crash of some file systems leaves behind, the old one goes. */
enum queue_edit queue_edit_move(const struct queue_layout *l, slice from, slice to, slice id, struct err *err);

/* Marks the message so that the queue manager returns it at its next attempt.  A file with more than one name is left
 * alone: ERR_CORRUPT. */
enum queue_edit queue_edit_expire(const struct queue_layout *l, slice queue, slice id, struct err *err);

/* Renames OLD to NEW, making folders (NEW is written to and restored), unless NEW exists: then, and when it is another
 * file, err->sys == EEXIST; when it is the same file, OLD goes. */
MUST_CHECK bool queue_rename_unless_taken(const char *old, char *new, struct err *err);

#endif
