/* mail/content/follow.h - a message that comes in pieces, as its queue file has it, taken as headers and body lines of
 * MIME parts.
 *
 * A header is gathered until it is complete; one that grows beyond the maximum goes on as it comes.  For those who
 * change content on its way out (downgrade.h).  May do what its hooks do. */
#ifndef MAIL_CONTENT_FOLLOW_H
#define MAIL_CONTENT_FOLLOW_H

#include "core/base/err.h"
#include "mail/content/mime.h"

/* All return false to stop, with *ERR. */
struct follow_hooks {
    void *arg;
    /* A complete header: "name: value" with an LF between lines.  ENDED: its last line had an end.  mime has it. */
    bool (*header)(void *arg, enum header_kind kind, slice text, bool ended, struct err *err);
    /* A piece of a header that is too long to be gathered. */
    bool (*piece)(void *arg, slice text, bool ends_line, struct err *err);
    /* The headers of an entity end: by an empty line, a boundary, the end of all. */
    bool (*headers_end)(void *arg, struct err *err);
    /* A piece of what is no header.  BOUNDARY: of a line that is one. */
    bool (*body)(void *arg, slice text, bool ends_line, bool boundary, struct err *err);
};

struct follow {
    struct mime mime; /* where we are */
    struct follow_hooks hooks;
    struct buf held;  /* the header being read, until it is known to be complete */
    bool released;    /* it was too long for that: the rest of it goes out as it comes */
    bool starts_line; /* the next piece does */
    bool boundary;    /* the line being read is one */
};

void follow_init(struct follow *f, const struct follow_hooks *hooks, size_t header_most_bytes,
                 size_t boundary_most_bytes, unsigned depth_most);
void follow_done(struct follow *f);

/* A piece of the message, which ends a line or goes on. */
MUST_CHECK bool follow_text(struct follow *f, slice text, bool ends_line, struct err *err);
/* There is no more. */
MUST_CHECK bool follow_end(struct follow *f, struct err *err);

/* Hands the lines of a header that has an LF between them to PUT; the last one ends if ENDED. */
MUST_CHECK bool follow_put_lines(slice text, bool ended,
                                 bool (*put)(void *arg, slice text, bool ends_line, struct err *), void *arg,
                                 struct err *err);

#endif
