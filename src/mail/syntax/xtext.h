/* mail/syntax/xtext.h - RFC 3461 xtext, and RFC 6533 utf-8-addr-xtext.  Pure. */
#ifndef MAIL_SYNTAX_XTEXT_H
#define MAIL_SYNTAX_XTEXT_H

#include "core/base/buf.h"

bool xtext_encode(slice in, slice special, struct buf *out); /* SPECIAL: bytes to encode beside '+', '=' and non-printables */
bool xtext_decode(slice in, struct buf *out);
/* Each character beyond plain ASCII, and '+', '=', '\\' and those of SPECIAL, as \x{HEX} of its code point.  A byte that is no
 * part of a UTF-8 character stands for itself. */
bool uxtext_encode(slice in, slice special, struct buf *out);
/* \x{HEX} becomes UTF-8 again, anything else is as it is.  False: a bad \x{}, or what comes out is no UTF-8. */
bool uxtext_decode(slice in, struct buf *out);

#endif
