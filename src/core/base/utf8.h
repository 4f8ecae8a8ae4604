/* core/base/utf8.h - well-formed UTF-8: RFC 3629.  Pure. */
#ifndef CORE_BASE_UTF8_H
#define CORE_BASE_UTF8_H

#include "core/base/slice.h"

/* How many bytes the character at the front of TEXT has (1 to 4); 0: none is there, or it is malformed. */
size_t utf8_length(slice text);
/* All of TEXT is well-formed. */
bool utf8_valid(slice text);

#endif
