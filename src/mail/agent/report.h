/* mail/agent/report.h - telling bounce(8), defer(8) and trace(8); used by agents and by qmgr.
 *
 * Each call is one connection and one exchange; it may suspend until BY. */
#ifndef MAIL_AGENT_REPORT_H
#define MAIL_AGENT_REPORT_H

#include "mail/envelope/outcome.h"
#include "mail/envelope/recipient.h"
#include "mail/proto/status.h"
#include "core/run/deadline.h"

/* Appends to SERVICE's ("bounce", "defer", "trace") log of QUEUE_ID. */
MUST_CHECK bool report_append(const char *service, int64_t flags, slice queue_id, const struct recipient *r,
                              const struct outcome *o, deadline by, struct err *err);
/* Asks SERVICE to send its report: STATUS_FLUSH, STATUS_WARN or STATUS_TRACE (or STATUS_VERP with F->verp_delimiters). */
MUST_CHECK bool report_flush(const char *service, const struct status_verp *f, deadline by, struct err *err);
/* Asks bounce(8) to tell F->sender of this one recipient at once: of F all but nrequest and flags counts. */
MUST_CHECK bool report_one(const struct status_flush *f, const struct recipient *r, const struct outcome *o, deadline by,
                           struct err *err);

/* Tells verify(8) what its probe found, under the address that was asked for and under what became of it; what is bad may
 * not be worth telling (address_verify_negative_cache).  *WORD is for the log in any case: "deliverable". */
MUST_CHECK bool report_probe(const struct recipient *r, const struct outcome *o, deadline by, slice *word, struct err *err);
/* Tells flush(8) that QUEUE_ID waits for SITE.  Silent when the site has no such service. */
MUST_CHECK bool report_flush_add(slice site, slice queue_id, deadline by, struct err *err);

#endif
