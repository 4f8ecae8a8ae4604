/* commands/postmap/files.h - postmap -F: values that are the content of files, in base64.
 *
 * Depends on: core/base. */
#ifndef COMMANDS_POSTMAP_FILES_H
#define COMMANDS_POSTMAP_FILES_H

#include "core/base/buf.h"
#include "core/base/err.h"

/* Adds what is in the files that NAMES has, with commas or blanks between them; a line feed comes between two. */
MUST_CHECK bool files_read(slice names, struct buf *out, struct err *err);
/* VALUE, which names files, becomes their content in base64. */
MUST_CHECK bool files_encode(struct buf *value, struct err *err);
/* And back: VALUE is base64. */
MUST_CHECK bool files_decode(struct buf *value, struct err *err);

#endif
