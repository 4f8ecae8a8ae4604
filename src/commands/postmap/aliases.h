/* commands/postmap/aliases.h - the grammar of aliases(5): "name: value, value". Pure.
 *
 * Lines that begin with blank continue the one before; '#' lines and empty ones are skipped.  The name may be quoted.  A value's
 * comments in parentheses go, except in quotes. */
#ifndef COMMANDS_POSTMAP_ALIASES_H
#define COMMANDS_POSTMAP_ALIASES_H

#include "core/base/buf.h"

/* Splits LINE (a whole logical line).  *KEY lower-cased and *VALUE normalised go to their buffers (cleared first).  False: no
 * name, no colon, or an unclosed quote. */
bool alias_line_parse(slice line, struct buf *key, struct buf *value);

#endif
