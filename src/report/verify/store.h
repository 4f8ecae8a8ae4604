/* report/verify/store.h - where entries are kept: a table file, memory, or a table behind proxymap(8).
 *
 * A table file is changed in place and synced, one change at a time, so that others (postmap -s, a second instance) may
 * read it meanwhile.  A store that cannot be opened exists all the same; each call on it fails.
 * Depends on: mail/table, mail/service. */
#ifndef REPORT_VERIFY_STORE_H
#define REPORT_VERIFY_STORE_H

#include "core/base/arena.h"
#include "mail/service/service.h"
#include "mail/table/table.h"

struct store;

/* NAME is address_verify_map's value: empty is memory; without a type it is of default_database_type.  A file goes into
 * data_directory when its own folder is not mail_owner's.  Before privileges are dropped: opens as mail_owner.  What is
 * worth a line in the log goes to WARNINGS. */
struct store *store_open(const struct service_run *run, slice name, struct buf *warnings);
void store_close(struct store *s);
/* "btree:/var/lib/postfix/verify_cache", "internal:verify". */
const char *store_name(const struct store *s);

MUST_CHECK enum table_got store_get(struct store *s, slice key, deadline by, struct buf *value, struct err *err);
MUST_CHECK bool store_put(struct store *s, slice key, slice value, deadline by, struct err *err);
MUST_CHECK bool store_delete(struct store *s, slice key, deadline by, struct err *err);
/* The first or the next pair: TABLE_NOT_FOUND at the end.  What was given last may be deleted before the next call. */
MUST_CHECK enum table_got store_next(struct store *s, bool first, deadline by, struct buf *key, struct buf *value,
                                     struct err *err);

#endif
