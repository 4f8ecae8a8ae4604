/* commands/postconf/edit.h - main.cf with some values changed: comments, order and everything else stay; and how a file
 * that others edit too is replaced. */
#ifndef COMMANDS_POSTCONF_EDIT_H
#define COMMANDS_POSTCONF_EDIT_H

#include "core/base/buf.h"
#include "core/base/err.h"

enum main_cf_change { MAIN_CF_SET, MAIN_CF_REMOVE, MAIN_CF_COMMENT_OUT };

/* Copies TEXT (a main.cf) to OUT.  SET: the last setting of NAME becomes "NAME = VALUE", earlier ones go; without any
 * it is appended.  REMOVE: all settings of NAME go.  COMMENT_OUT: their lines get a '#'.  Pure.  False: OUT's maximum.
 */
bool main_cf_edit(slice text, slice name, slice value, enum main_cf_change change, struct buf *out);

/* PATH is replaced as a whole, and by one process at a time: between begin and done other editors of it wait in begin,
 * so that what is read meanwhile is what is changed. */
struct file_edit {
    const char *path;
    struct buf temporary; /* its name, while there is one of ours to remove */
    int fd;               /* of it, locked */
};

MUST_CHECK bool file_edit_begin(struct file_edit *e, const char *path, struct err *err);
/* CONTENT is written beside PATH, synced and renamed; mode and owner stay. */
MUST_CHECK bool file_edit_replace(struct file_edit *e, slice content, struct err *err);
/* After begin, whether or not that succeeded. */
void file_edit_done(struct file_edit *e);

#endif
