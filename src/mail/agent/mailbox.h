/* mail/agent/mailbox.h - putting one message into a mailbox file or a Maildir, as the user it belongs to.
 *
 * A job is plain memory, so that it can be handed to another process (agent/spawner.h).  mailbox_deliver() blocks: it
 * is called in a process that is the user already, and does nothing else but such jobs.  Success means that the message is on disk.
 * Any failure leaves the mailbox as it was (a file is truncated back; a Maildir's tmp file is removed). */
#ifndef MAIL_AGENT_MAILBOX_H
#define MAIL_AGENT_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/slice.h"
#include "mail/envelope/outcome.h"

enum mailbox_kind { MAILBOX_FILE, MAILBOX_MAILDIR };
enum mailbox_lock { MAILBOX_LOCK_FCNTL = 1, MAILBOX_LOCK_FLOCK = 2, MAILBOX_LOCK_DOTLOCK = 4 };

enum { MAILBOX_PATH_MOST = 512, MAILBOX_HEAD_MOST = 16 * 1024, MAILBOX_REASON_MOST = 600, MAILBOX_FROM_MOST = 4096 };

struct mailbox_job {
    enum mailbox_kind kind;
    uid_t uid;
    gid_t gid;
    int64_t content_offset; /* where the content records begin in the queue file */
    unsigned locks;         /* enum mailbox_lock */
    int lock_attempts;      /* deliver_lock_attempts */
    int64_t lock_delay_us, stale_lock_us;
    int64_t size_limit;    /* mailbox_size_limit; 0: none */
    bool owner_must_match; /* strict_mailbox_ownership */
    bool is_file;          /* named by an alias or a .forward: a device will do, and so will a folder without room for a lock */
    bool make_directories; /* a missing Maildir is made */
    int64_t arrival_us;
    char host[256]; /* myhostname, for Maildir names */
    bool patient;   /* what the own folders and rights of the user forbid is deferred, not bounced */
    char complaint[MAILBOX_PATH_MOST + 300]; /* what stands before the reason when a file cannot be written */
    char path[MAILBOX_PATH_MOST];            /* absolute; a Maildir ends in '/' */
    char from_line[1024];                    /* "From sender  date", without newline; MAILBOX_FILE */
    char head[MAILBOX_HEAD_MOST];            /* header lines put in front, each ending in a newline */
};

struct mailbox_result {
    enum outcome_kind kind;
    struct dsn_code dsn;
    char reason[MAILBOX_REASON_MOST];
    char warning[MAILBOX_REASON_MOST]; /* for the log; empty: none */
    bool damaged;                      /* the queue file is: agent_mark_corrupt() */
};

/* CONTENT_FD is the queue file, open for reading.  Never fails otherwise than by its result. */
void mailbox_deliver(const struct mailbox_job *job, int content_fd, struct mailbox_result *out);

/* The list of mailbox_delivery_lock: "fcntl, dotlock".  Unknown words: false. */
bool mailbox_locks_parse(slice text, unsigned *out);

#endif
