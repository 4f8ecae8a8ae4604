/* commands/postconf/rows.h - a row of master.cf as eight texts and its arguments, to be shown and changed.
 *
 * Nothing here suspends. */
#ifndef COMMANDS_POSTCONF_ROWS_H
#define COMMANDS_POSTCONF_ROWS_H

#include "core/base/buf.h"
#include "core/conf/master_cf.h"

enum { ROW_SERVICE, ROW_TYPE, ROW_PRIVATE, ROW_UNPRIVILEGED, ROW_CHROOT, ROW_WAKEUP, ROW_LIMIT, ROW_COMMAND, ROW_FIELDS };
extern const char *const row_field_names[ROW_FIELDS]; /* "service" ... "process_limit", "command" */

/* One argument; of "-o name=value" both words. */
struct row_argument {
    struct buf text;        /* the argument, or the value of NAME */
    struct buf name;        /* empty: no -o */
};

struct row {
    struct buf field[ROW_FIELDS]; /* the last without the arguments */
    struct row_argument *arguments;
    size_t count, room;
};

/* Owned by the caller: row_done(). */
void row_from(struct row *r, const struct master_row *from);
void row_done(struct row *r);

/* Sets NAME in the row's options; a new one goes behind the options that are there.  A NULL VALUE removes it. */
void row_set_parameter(struct row *r, slice name, const slice *value);

/* Command and arguments as in the eighth column. */
void row_print_command(const struct row *r, struct buf *out);
/* The row in columns, without a line end.  FOLD: options on lines of their own, the rest within 80 columns. */
void row_print(const struct row *r, bool fold, struct buf *out);

/* "NAME = VALUE" (NAME may be empty) with VALUE's words within 80 columns, continued on lines that begin with four blanks. */
void fold_value(slice label, slice value, struct buf *out);

#endif
