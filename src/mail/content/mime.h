/* mail/content/mime.h - follows a message's MIME structure: which lines are headers of what, and how bodies are
 * encoded.
 *
 * The caller gathers headers, where mime.in_header says that there are some, and hands each in; of body lines it asks
 * whether they are boundaries.  Costs nothing for messages without composite parts.  Pure but for its buffers.
 * RFC 2045, 2046; what a boundary is follows the field's cleanup(8): a line that starts with it. */
#ifndef MAIL_CONTENT_MIME_H
#define MAIL_CONTENT_MIME_H

#include "core/base/buf.h"
#include "mail/syntax/header.h"

enum mime_entity { MIME_LEAF, MIME_MULTIPART, MIME_DIGEST, MIME_MESSAGE };
enum mime_encoding {
    MIME_7BIT /* or one that we do not know */,
    MIME_8BIT,
    MIME_BINARY,
    MIME_QUOTED_PRINTABLE,
    MIME_BASE64
};
enum mime_place { MIME_PRIMARY, MIME_PART, MIME_NESTED /* of a message in a part */ };

struct mime {
    enum mime_place place;
    enum mime_entity entity;     /* of the headers being read, then of the body that follows them */
    enum mime_encoding encoding; /* likewise */
    bool in_header;
    bool plain_domain;   /* RFC 2045 6.4: this entity must be 7bit, 8bit or binary */
    struct buf boundary; /* of the multipart whose headers are being read */
    struct buf
        open; /* boundaries of the open multiparts, outermost first: text, its length in two bytes, digest flag */
    unsigned depth;
    size_t boundary_most;
    unsigned depth_most;
    bool eight_bit_header; /* some header has 8-bit characters */
    bool eight_bit_body;   /* some part has Content-Transfer-Encoding 8bit or binary */
};

void mime_init(struct mime *m, size_t boundary_most_bytes, unsigned depth_most);
void mime_done(struct mime *m);

/* A complete header.  TEXT: all of it, VALUE: behind the colon. */
void mime_header(struct mime *m, enum header_kind kind, slice text, slice value);
/* The headers being read are over.  Those of a message in a part follow where m->in_header still holds. */
void mime_header_end(struct mime *m);
/* Is LINE, in a body, a boundary?  Then m->in_header tells whether the headers of a part follow. */
bool mime_at_boundary(struct mime *m, slice line);
/* "base64" */
const char *mime_encoding_name(enum mime_encoding e);
bool mime_has_eight_bits(slice s);

#endif
