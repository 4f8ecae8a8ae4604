/* support/proxymap/approved.h - the tables that proxy_read_maps or proxy_write_maps name, each opened at its first use
 * and kept.
 *
 * Of proxymap, tables to read; of proxywrite, tables to change, made when they are not there, by whoever uses them
 * first. */
#ifndef SUPPORT_PROXYMAP_APPROVED_H
#define SUPPORT_PROXYMAP_APPROVED_H

#include "core/base/map.h"
#include "mail/table/table.h"

struct approved_table {
    struct table *reader;
    struct table_writer *writer;
    bool opened;
    struct err problem; /* neither could be had; ERR_NONE else */
};

struct approved {
    struct map names; /* "unix:passwd.byname" -> struct approved_table */
    bool writable;
};

/* LIST: names with the prefix "proxy:"; others do not count. */
void approved_init(struct approved *a, slice list, bool writable);
/* NULL: not approved.  *FIRST: it has been opened just now, and may have something to tell: problem, table_warnings().
 */
struct approved_table *approved_get(struct approved *a, slice name, unsigned flags, bool *first);
/* TABLE_FAILED: *ERR. */
MUST_CHECK enum table_got approved_lookup(struct approved_table *t, slice name, slice key, deadline by,
                                          struct buf *value, struct err *err);
/* Do its keys match by pattern, or is it unusable, which is the same for who asks? */
bool approved_is_pattern(const struct approved_table *t);
/* Has a table that is open to be read changed?  *NAME is its name. */
bool approved_changed(void *approved, struct buf *name);

#endif
