/* mail/content/mime.h - follows a message's MIME structure: which body lines are headers of parts, and what they say.
 *
 * The queue file needs two facts from it: does any header, nested ones included, have 8-bit characters, and does any part
 * announce an 8-bit transfer encoding.  Costs nothing for messages without composite parts.  Pure but for its buffers.
 * RFC 2045, 2046. */
#ifndef MAIL_CONTENT_MIME_H
#define MAIL_CONTENT_MIME_H

#include "core/base/buf.h"
#include "mail/syntax/header.h"

enum mime_entity { MIME_LEAF, MIME_MULTIPART, MIME_DIGEST, MIME_MESSAGE };

struct mime {
    enum mime_entity entity;  /* of the headers being read, then of the body that follows them */
    struct buf boundary;      /* of the multipart whose headers are being read */
    struct buf open;          /* boundaries of the open multiparts, outermost first: text, its length in two bytes, digest flag */
    struct buf header;        /* the nested header being gathered */
    unsigned depth;
    size_t header_most, boundary_most;
    unsigned depth_most;
    bool in_header;           /* of a part */
    bool eight_bit_header;    /* some header has 8-bit characters */
    bool eight_bit_body;      /* some part has Content-Transfer-Encoding 8bit or binary */
};

void mime_init(struct mime *m, size_t header_most_bytes, size_t boundary_most_bytes, unsigned depth_most);
void mime_done(struct mime *m);

/* A header of the message itself, complete.  TEXT: all of it, VALUE: behind the colon. */
void mime_header(struct mime *m, enum header_kind kind, slice text, slice value);
/* The message's own headers are over. */
void mime_header_end(struct mime *m);
/* A piece of the body; STARTS_LINE unless it continues the piece before. */
void mime_body(struct mime *m, slice text, bool starts_line);

#endif
