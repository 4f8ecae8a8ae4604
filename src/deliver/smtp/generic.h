/* deliver/smtp/generic.h - addresses as others are to see them: smtp_generic_maps.
 *
 * Source: generic(5).  A table that cannot be asked is told of in the log and is ERR_TEMPORARY.  May suspend. */
#ifndef DELIVER_SMTP_GENERIC_H
#define DELIVER_SMTP_GENERIC_H

#include "core/base/arena.h"
#include "deliver/smtp/settings.h"
#include "mail/syntax/header.h"

/* ADDRESS (internal form) as it goes out; *OUT in ARENA, or ADDRESS itself. */
MUST_CHECK bool generic_address(const struct settings *s, slice address, struct arena *arena, slice *out,
                                struct err *err);
/* The header TEXT, with an LF between its lines.  *OUT in ARENA, or TEXT itself where nothing changes. */
MUST_CHECK bool generic_header(const struct settings *s, enum header_kind kind, slice text, struct arena *arena,
                               slice *out, struct err *err);

#endif
