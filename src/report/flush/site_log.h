/* report/flush/site_log.h - the files flush/NAME: which messages wait for a site.
 *
 * Everything here blocks on the file system and does not suspend.  Source: queue-file.md (flush logs). */
#ifndef REPORT_FLUSH_SITE_LOG_H
#define REPORT_FLUSH_SITE_LOG_H

#include "core/base/err.h"
#include "mail/queue/dir.h"

/* "dead.test" as "dead_test": lower case, everything but letters and digits as '_'.  False: empty or too long. */
bool site_log_name(slice site, struct buf *out);

MUST_CHECK bool site_log_add(slice name, slice queue_id, struct err *err);
/* Moves what the log names from deferred/ to incoming/, due now, and empties the log.  True also when there is no log.
 * *MOVED counts. */
MUST_CHECK bool site_log_send(const struct queue_layout *l, slice name, int *moved, struct err *err);

/* deferred/ID to incoming/ID, due now; UNTHROTTLE also marks it so that the queue manager tries its destination whatever it
 * thinks of it.  True also when there is no such file; *MOVED tells. */
MUST_CHECK bool site_move_to_incoming(const struct queue_layout *l, slice id, bool unthrottle, bool *moved, struct err *err);

/* Calls SEND for each log that was last written MAX_AGE_US ago or earlier, and removes empty ones of EMPTY_AGE_US. */
MUST_CHECK bool site_logs_refresh(int64_t max_age_us, int64_t empty_age_us, void (*send)(slice name), struct err *err);

#endif
