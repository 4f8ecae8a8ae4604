/* mail/queue/commit.h - making a message durable: the one place where "accepted" becomes true.
 *
 * Order (architecture section 3): the file has its final name; fchmod to its ready mode on the calling thread; then fsync
 * on a helper thread, or in place while there is nobody else to serve; then success.  The queue of pending commits is
 * bounded: beyond COMMIT_MOST callers wait here, so sockets are not read.  EIO or ENOSPC is final for that file: the
 * caller unlinks it and answers 451.
 *
 * Where the queue has a file system of its own (own_disk.h), files that come while others are being flushed are flushed
 * together, by one syncfs(). */
#ifndef MAIL_QUEUE_COMMIT_H
#define MAIL_QUEUE_COMMIT_H

#include "core/run/gather.h"
#include "mail/queue/commit_pace.h"

enum { COMMIT_MOST = 512 };

/* A process's way to the disk. */
struct committer {
    struct gathering gathering;
    bool may_gather;
    struct commit_pace pace;
};

/* Looks at where the queue is: before chroot. */
void committer_init(struct committer *c, const char *queue_directory);
/* Suspends until FD is on disk.  ERR_SYS: it is not, and never will be.  Not cancelled once begun. */
MUST_CHECK bool queue_commit(struct committer *c, int fd, int ready_mode, deadline by, struct err *err);
/* The same without a task, for commands (postdrop): blocks. */
MUST_CHECK bool queue_commit_blocking(int fd, int ready_mode, struct err *err);

#endif
