/* mail/content/wrap.h - folds a long line at blanks; lines after the first are indented.  Pure. */
#ifndef MAIL_CONTENT_WRAP_H
#define MAIL_CONTENT_WRAP_H

#include "core/base/buf.h"

enum { WRAP_WIDTH = 79 };

/* Cuts the next line off *TEXT, which must not be empty, into LINE (cleared first).  FIRST: no indentation, else INDENT
 * blanks.  A word that is longer than a line stays whole. */
void wrap_next(slice *text, bool first, int indent, struct buf *line);

#endif
