/* report/bounce/wrap.h - folds a long line at blanks; lines after the first are indented by four.  Pure. */
#ifndef REPORT_BOUNCE_WRAP_H
#define REPORT_BOUNCE_WRAP_H

#include "core/base/buf.h"

enum { WRAP_WIDTH = 79, WRAP_INDENT = 4 };

/* Cuts the next line off *TEXT, which must not be empty, into LINE (cleared first).  FIRST: no indentation.  A word that is
 * longer than a line stays whole. */
void wrap_next(slice *text, bool first, struct buf *line);

#endif
