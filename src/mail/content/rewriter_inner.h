/* mail/content/rewriter_inner.h - what the rewriter's files share.  For them alone. */
#ifndef MAIL_CONTENT_REWRITER_INNER_H
#define MAIL_CONTENT_REWRITER_INNER_H

#include "mail/content/rewriter.h"

static inline uint64_t header_bit(enum header_kind kind)
{
    return (uint64_t)1 << kind;
}
_Static_assert(HEADER_KINDS <= 64, "a bit per kind");

/* ---- rewriter_out.c: text on its way out ---- */
/* One line or piece of a line: split where it is too long for one record. */
bool rewriter_emit(struct rewriter *w, int type, slice text, struct err *err);
/* A header of one or more lines. */
bool rewriter_emit_header(struct rewriter *w, slice header, struct err *err);
/* TEXT, or a copy in w->scratch with blanks for stray CR and LF. */
slice rewriter_clean(struct rewriter *w, slice text);
/* Asks for content checks and emits what they put before.  REWRITER_STOP also when that fails. */
enum rewriter_verdict rewriter_check(struct rewriter *w, enum rewriter_line line, struct rewriter_text *text,
                                     deadline by, struct err *err);

/* ---- rewriter_header.c ---- */
/* A complete header, of the message or of a part. */
bool rewriter_header(struct rewriter *w, slice text, deadline by, struct err *err);
/* All headers of the message have been seen: adds what is missing. */
bool rewriter_complete(struct rewriter *w, struct err *err);

#endif
