/* mail/syntax/xtext.h - RFC 3461 xtext.  Pure. */
#ifndef MAIL_SYNTAX_XTEXT_H
#define MAIL_SYNTAX_XTEXT_H

#include "core/base/buf.h"

bool xtext_encode(slice in, slice special, struct buf *out); /* SPECIAL: bytes to encode beside '+', '=' and non-printables */
bool xtext_decode(slice in, struct buf *out);

#endif
