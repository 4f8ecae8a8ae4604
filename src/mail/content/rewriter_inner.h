/* mail/content/rewriter_inner.h - what the rewriter's two files share.  For them alone. */
#ifndef MAIL_CONTENT_REWRITER_INNER_H
#define MAIL_CONTENT_REWRITER_INNER_H

#include "mail/content/rewriter.h"

static inline uint64_t header_bit(enum header_kind kind)
{
    return (uint64_t)1 << kind;
}
_Static_assert(HEADER_KINDS <= 64, "a bit per kind");

/* rewriter.c */
bool rewriter_emit(struct rewriter *w, int type, slice text, struct err *err);
bool rewriter_emit_header(struct rewriter *w, slice header, struct err *err);

/* rewriter_header.c */
bool rewriter_header(struct rewriter *w, slice text, deadline by, struct err *err);
/* All headers have been seen: adds what is missing. */
bool rewriter_complete(struct rewriter *w, struct err *err);

#endif
