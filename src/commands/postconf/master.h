/* commands/postconf/master.h - master.cf: shown in columns, by fields or by parameters, and edited.
 *
 * What is wrong ends the process.  Nothing here suspends. */
#ifndef COMMANDS_POSTCONF_MASTER_H
#define COMMANDS_POSTCONF_MASTER_H

#include "core/base/buf.h"
#include "core/base/err.h"

enum master_view { MASTER_ROWS, MASTER_FIELDS, MASTER_PARAMETERS };

struct master_look {
    enum master_view view;
    bool fold, no_name, no_value;
};

/* Prints what PATTERNS name ("smtp/inet", "smtp", "smtp/inet/chroot"; "*" is anything; none: all).  A pattern that matches no
 * row is warned of. */
void master_show(const char *directory, const struct master_look *look, char **patterns);

enum master_change { MASTER_SET, MASTER_REMOVE, MASTER_COMMENT_OUT };

/* Copies TEXT (a master.cf) to OUT with one change: "service/type=row", "service/type/field=value",
 * "service/type/parameter=value", or without the value for the other changes.  Rows that are not concerned stay as they are.
 * *MATCHED: there was such a row; of MASTER_ROWS a new one is appended.  ERR_SYNTAX. */
MUST_CHECK bool master_edit(slice text, enum master_view view, enum master_change change, slice request, struct buf *out,
                            bool *matched, struct err *err);

#endif
