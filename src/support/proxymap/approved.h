/* support/proxymap/approved.h - the tables that proxy_read_maps or proxy_write_maps name, each opened at its first use. */
#ifndef SUPPORT_PROXYMAP_APPROVED_H
#define SUPPORT_PROXYMAP_APPROVED_H

#include "core/base/map.h"
#include "mail/table/table.h"

struct approved {
    struct map names;  /* "unix:passwd.byname" -> struct table * once open, else the map itself as a mark */
    bool needs_reload; /* an open table has changed */
};

/* LIST: names with the prefix "proxy:"; others do not count. */
void approved_init(struct approved *a, slice list);
/* FOUND: *OUT is open.  NOT_FOUND: not approved.  FAILED: *ERR. */
MUST_CHECK enum table_got approved_get(struct approved *a, slice name, unsigned flags, struct table **out, struct err *err);
bool approved_has(const struct approved *a, slice name);
/* Has an open table changed?  *NAME is its name. */
bool approved_changed(void *approved, struct buf *name);

#endif
