/* mail/agent/filter.h - X_delivery_status_filter: another status code, or other words, for what became of a recipient.
 *
 * Source: postconf(5), default_delivery_status_filter. */
#ifndef MAIL_AGENT_FILTER_H
#define MAIL_AGENT_FILTER_H

#include "core/base/arena.h"
#include "core/run/deadline.h"
#include "mail/envelope/outcome.h"
#include "mail/table/table.h"

struct agent_filter;
/* PARAMETER ("smtp_delivery_status_filter") must live as long as the filter; LIST is its value.  What is wrong with a
 * table is told of in the log.  NULL: *ERR. */
struct agent_filter *agent_filter_open(const char *parameter, const char *list, struct err *err);
/* A table was changed: *NAME. */
bool agent_filter_changed(const struct agent_filter *f, struct buf *name);

/* Changes O's code and reason, texts in ARENA.  What was delivered stays so, and what was not; a result that would
 * change that, or cannot be used, is told of in the log and does not count.  F can be NULL.  May suspend. */
void agent_filter_apply(const struct agent_filter *f, struct outcome *o, struct arena *arena, deadline by);

#endif
