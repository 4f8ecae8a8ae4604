/* mail/content/submit.h - writing a message to cleanup(8) from inside a daemon: smtpd, pickup, bounce, local.
 *
 * A submission is a connection to public/cleanup.  Records are gathered and go out in large writes.  Closing before
 * submit_finish() cancels: cleanup removes the file.  Depends on: mail/proto, mail/queue, mail/service. */
#ifndef MAIL_CONTENT_SUBMIT_H
#define MAIL_CONTENT_SUBMIT_H

#include "core/base/arena.h"
#include "core/io/stream.h"
#include "mail/queue/record.h"

struct submission {
    struct stream *stream;
    char queue_id[101];
    bool broken; /* a write failed: cleanup's own status tells more */
    pid_t postdrop; /* 0: it is cleanup that listens */
};

/* Connects and reads the hello with the queue id.  FLAGS are written, not yet flushed. */
MUST_CHECK bool submit_begin(struct submission *s, int64_t flags, deadline by, struct err *err);
/* The same for a process that acts for a user, who cannot reach cleanup: PROGRAM is postdrop(1), which takes fewer attributes. */
MUST_CHECK bool submit_begin_drop(struct submission *s, const char *program, deadline by, struct err *err);
/* CLEANUP_AUTOUTF8 if smtputf8_autodetect_classes has CLASS ("sendmail", "smtpd" ...), else 0: whether cleanup is to find out by
 * itself that a message needs SMTPUTF8. */
int64_t submit_autodetects_utf8(slice mail_class);
/* CLEANUP_FROM_NOTICE, and the flags of content checks if internal_mail_filter_classes has CLASS ("bounce", "notify"). */
int64_t submit_notice_flags(slice mail_class);
/* One record.  After a write error (cleanup has given up early) it keeps returning true and drops data: the status comes
 * from submit_finish(). */
MUST_CHECK bool submit_record(struct submission *s, int type, slice data, deadline by, struct err *err);
/* The lines at the front of TEXT that are nothing but content, each as a record: whole ones that end in CR LF without another CR
 * before it, of at most MOST bytes, without a dot in front.  Never waits: takes what there is room for.  Returns their bytes. */
size_t submit_plain_lines(struct submission *s, slice text, size_t most);
/* An A record "NAME=VALUE". */
MUST_CHECK bool submit_attribute(struct submission *s, const char *name, slice value, deadline by, struct err *err);
MUST_CHECK bool submit_recordf(struct submission *s, deadline by, struct err *err, int type, const char *format, ...)
    PRINTF_LIKE(5, 6);
/* After the E record: flushes, reads status and reason (REASON in ARENA).  Closes. */
MUST_CHECK bool submit_finish(struct submission *s, struct arena *arena, deadline by, int64_t *status, slice *reason,
                              struct err *err);
/* Closes without finishing: cancelled. Harmless after submit_finish(). */
void submit_cancel(struct submission *s);

/* Begins an internally generated notice (post_mail of flow.md / queue-file.md section 8 "notices"): T, log_message_origin,
 * trace flags, S, R, M, the two Received lines and Date.  The caller adds headers and body with submit_text() and ends with
 * submit_notice_end() (X, E, status). */
struct notice_options {
    slice sender, recipient; /* internal form */
    int trace_flags;
    int64_t cleanup_flags; /* submit_notice_flags() */
    bool smtputf8;
};
/* "double-bounce@host": the sender of notices to the postmaster; mail for it ends here. */
bool notice_double_bounce(struct buf *out);
MUST_CHECK bool submit_notice(struct submission *s, const struct notice_options *o, deadline by, struct err *err);
MUST_CHECK bool submit_textf(struct submission *s, deadline by, struct err *err, const char *format, ...) PRINTF_LIKE(4, 5);
MUST_CHECK bool submit_notice_end(struct submission *s, deadline by, int64_t *status, struct err *err);

#endif
