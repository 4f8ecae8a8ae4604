/* mail/queue/dir.h - queue directories: names in them, moving between them, locks.  Paths are relative to the queue directory.
 *
 * Everything here blocks on the file system and does not suspend. */
#ifndef MAIL_QUEUE_DIR_H
#define MAIL_QUEUE_DIR_H

#include <sys/stat.h>

#include "core/base/err.h"
#include "mail/queue/id.h"

#define QUEUE_MAILDROP "maildrop"
#define QUEUE_INCOMING "incoming"
#define QUEUE_ACTIVE "active"
#define QUEUE_DEFERRED "deferred"
#define QUEUE_HOLD "hold"
#define QUEUE_CORRUPT "corrupt"

/* Modes: a file is complete when all of 0700 are set. */
enum { QUEUE_MODE_EMBRYO = 0600, QUEUE_MODE_READY = 0700, QUEUE_MODE_UNTHROTTLE = 0040, QUEUE_MODE_EXPIRE = 0010,
       QUEUE_MODE_CORRUPT = 0400, MAILDROP_MODE_EMBRYO = 0644, MAILDROP_MODE_READY = 0744 };

/* A file just created under its final id.  Owner closes fd (or gives it on); queue_create leaves nothing behind on failure. */
struct queue_new {
    int fd;
    char id[QUEUE_ID_MOST + 1];
    int64_t created_us;
};
/* Creates QUEUE/USEC.PID exclusively with MODE, then renames it to QUEUE/ID.  ERR_SYS. */
MUST_CHECK bool queue_create(const struct queue_layout *l, slice queue, bool long_ids, int mode, struct queue_new *out,
                             struct err *err);

/* Renames QUEUE_FROM/ID to QUEUE_TO/ID; makes the hash directory (0700) when it is missing.  ERR_SYS (sys == ENOENT: gone). */
MUST_CHECK bool queue_move(const struct queue_layout *l, slice from, slice to, slice id, struct err *err);

/* Makes the hash directories (0700) in front of PATH's last part; PATH is written to and restored.  False: see errno. */
MUST_CHECK bool queue_make_folders(char *path);

/* Walks one queue: hash directories of one character are entered (not in maildrop).  queue_scan_next: id names only, in
 * readdir order; *PATH relative to the queue directory, on loan until the next call.  A folder that cannot be read is passed over,
 * and the scan fails at its end. */
struct queue_scan;
struct queue_scan *queue_scan_open(slice queue, struct err *err);
enum queue_scan_got { SCAN_ID, SCAN_END, SCAN_FAILED, SCAN_OTHER, SCAN_FOLDER };
MUST_CHECK enum queue_scan_got queue_scan_next(struct queue_scan *s, slice *id, const char **path, struct err *err);
void queue_scan_close(struct queue_scan *s);

/* The same walk for whoever sets things right: it sees all that lies in the queue.
 *   SCAN_ID      a name that is an id
 *   SCAN_OTHER   any other name, of a file or of a folder that is not entered
 *   SCAN_FOLDER  a hash directory has been read to its end, and may be removed
 * Texts are on loan until the next call. */
struct queue_entry {
    const char *path;
    slice name;         /* the path's last part */
    uint64_t inode;     /* as the directory says; some file systems say another number than lstat */
    unsigned char type; /* DT_REG... or DT_UNKNOWN */
    int depth;          /* hash directories above it; of a SCAN_FOLDER, it and those above */
};
MUST_CHECK enum queue_scan_got queue_scan_next_of_all(struct queue_scan *s, struct queue_entry *out, struct err *err);

/* lstat says: regular, complete, and links == 1 (more only warns after a minute). */
enum queue_readiness { QUEUE_FILE_READY, QUEUE_FILE_NOT_READY, QUEUE_FILE_GONE, QUEUE_FILE_BAD };
enum queue_readiness queue_file_check(const char *path, struct stat *st);

/* flock, not waiting.  False with err->sys == EAGAIN when another process holds it. */
MUST_CHECK bool queue_lock(int fd, bool exclusive, struct err *err);

/* Overwrites the type byte at OFFSET: 'R' to 'D', 'A' to 'K'.  ERR_CORRUPT when another byte is there. */
MUST_CHECK bool queue_mark(int fd, int64_t offset, char from, char to, struct err *err);

#endif
