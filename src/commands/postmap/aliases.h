/* commands/postmap/aliases.h - the grammar of aliases(5): "name: value, value". Pure.
 *
 * Read as an address header is, in tokens: words next to each other are parted by one blank, quotes go from the name
 * and stay in the value. */
#ifndef COMMANDS_POSTMAP_ALIASES_H
#define COMMANDS_POSTMAP_ALIASES_H

#include "core/base/buf.h"

/* Splits LINE (a whole logical line).  *KEY and *VALUE go to their buffers (cleared first).  NULL, or what is wrong: no
 * name and colon, no value, a name that has a domain. */
const char *alias_line_parse(slice line, struct buf *key, struct buf *value);

#endif
