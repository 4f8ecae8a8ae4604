/* commands/postconf/edit.h - main.cf with some values changed: comments, order and everything else stay. */
#ifndef COMMANDS_POSTCONF_EDIT_H
#define COMMANDS_POSTCONF_EDIT_H

#include "core/base/buf.h"
#include "core/base/err.h"

enum main_cf_change { MAIN_CF_SET, MAIN_CF_REMOVE, MAIN_CF_COMMENT_OUT };

/* Copies TEXT (a main.cf) to OUT.  SET: the last setting of NAME becomes "NAME = VALUE", earlier ones go; without any it is
 * appended.  REMOVE: all settings of NAME go.  COMMENT_OUT: their lines get a '#'.  Pure.  False: OUT's maximum. */
bool main_cf_edit(slice text, slice name, slice value, enum main_cf_change change, struct buf *out);

/* PATH is replaced by CONTENT: written beside it, synced, renamed; mode and owner stay. */
MUST_CHECK bool file_replace(const char *path, slice content, struct err *err);

#endif
