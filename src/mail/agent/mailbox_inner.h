/* mail/agent/mailbox_inner.h - what the two kinds of mailboxes share.  For mail/agent alone. */
#ifndef MAIL_AGENT_MAILBOX_INNER_H
#define MAIL_AGENT_MAILBOX_INNER_H

#include "core/base/err.h"
#include "mail/agent/mailbox.h"

/* Sets the outcome; always false. */
bool mailbox_give_up(struct mailbox_result *r, struct dsn_code dsn, const char *format, ...) PRINTF_LIKE(3, 4);
/* Codes for a system call that failed on a user's file: what the user's own folders and rights forbid is final, what
 * the machine lacks just now is not. */
struct dsn_code mailbox_dsn_of_errno(int code);
/* What the system said, without what we were doing. */
const char *mailbox_reason_of(const struct err *err);
/* The whole message into FD; then, with SYNC, onto the disk. */
MUST_CHECK bool mailbox_write_all(const struct mailbox_job *job, int content_fd, int fd, bool sync, struct err *err);

/* The delivery itself.  False: given up, and the mailbox is as it was. */
bool mailbox_file_write(const struct mailbox_job *job, int content_fd, struct mailbox_result *r);
bool maildir_write(const struct mailbox_job *job, int content_fd, struct mailbox_result *r);

#endif
