/* mail/content/downgrade.h - an 8-bit message as one that may go where 8-bit characters may not.
 *
 * Parts that announce Content-Transfer-Encoding 8bit or binary become quoted-printable, and say so; multiparts and
 * messages that contain such parts say 7bit.  Nothing else changes: 8-bit characters where nothing announces them are
 * left as they are. Content goes in piece by piece, as the queue file has it, and comes out in the same way.  RFC 2045,
 * 6152. */
#ifndef MAIL_CONTENT_DOWNGRADE_H
#define MAIL_CONTENT_DOWNGRADE_H

#include "mail/content/follow.h"

struct downgrade {
    struct follow follow;
    struct buf coded; /* the line of quoted-printable being made */
    bool encodes;     /* the body being read is to be encoded */
    char blank;       /* a blank at a piece's end, which can turn out to be the line's end; 0: none */

    /* Takes what comes out; false: stop, with *ERR. */
    bool (*put)(void *arg, slice text, bool ends_line, struct err *err);
    void *arg;
};

void downgrade_init(struct downgrade *d, size_t header_most_bytes, size_t boundary_most_bytes, unsigned depth_most);
void downgrade_done(struct downgrade *d);
#define AUTO_DOWNGRADE CLEANUP(downgrade_done)

/* A piece of the message, which ends a line or goes on.  May do what PUT does. */
MUST_CHECK bool downgrade_text(struct downgrade *d, slice text, bool ends_line, struct err *err);
/* There is no more. */
MUST_CHECK bool downgrade_end(struct downgrade *d, struct err *err);

#endif
