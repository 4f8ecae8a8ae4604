/* mail/queue/bounce_log.h - the per-message logs in defer/, bounce/ and trace/.  Source: queue-file.md section 12. */
#ifndef MAIL_QUEUE_BOUNCE_LOG_H
#define MAIL_QUEUE_BOUNCE_LOG_H

#include "core/base/arena.h"
#include "mail/envelope/outcome.h"
#include "mail/envelope/recipient.h"
#include "mail/queue/id.h"

struct bounce_entry {
    struct recipient recipient;
    struct outcome outcome; /* dsn, action, reason, diag_*, mta_* */
};

/* One block as text, with the old-style first line when COMPATIBLE.  Non-printables become '?'. */
bool bounce_entry_print(const struct bounce_entry *e, bool compatible, struct buf *out);

/* Appends to QUEUE/ID ("defer", "bounce", "trace"): O_APPEND, flock, fsync; truncated back on failure.  Blocks: run it on
 * the pool. */
MUST_CHECK bool bounce_log_append(const struct queue_layout *l, slice queue, slice id, const struct bounce_entry *e,
                                  bool compatible, struct err *err);
/* Parses all entries of TEXT; tolerant as the manual says.  Texts point into TEXT or ARENA. Pure. */
typedef bool bounce_entry_fn(void *context, const struct bounce_entry *e);
bool bounce_log_parse(slice text, bool failed /* defaults 5.0.0 failed, else 4.0.0 delayed */, struct arena *arena,
                      bounce_entry_fn *each, void *context);
/* Reads QUEUE/ID into OUT.  False with err->sys == ENOENT: no log. */
MUST_CHECK bool bounce_log_read(const struct queue_layout *l, slice queue, slice id, struct buf *out, struct err *err);

#endif
