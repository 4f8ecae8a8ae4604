/* core/base/base64.h - RFC 4648 base64 with padding. */
#ifndef CORE_BASE_BASE64_H
#define CORE_BASE_BASE64_H

#include "core/base/buf.h"

/* False: the buffer's maximum. */
bool base64_encode(slice in, struct buf *out);
/* Strict: length a multiple of 4, no blanks.  False: not base64, or the buffer's maximum; OUT may hold a part then. */
bool base64_decode(slice in, struct buf *out);

#endif
