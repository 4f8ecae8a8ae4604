/* deliver/smtp/greet.h - the beginning of a connection: the server's greeting, EHLO or HELO, and what it offers.
 *
 * Depends on: deliver/smtp/connection.h. */
#ifndef DELIVER_SMTP_GREET_H
#define DELIVER_SMTP_GREET_H

#include "deliver/smtp/connection.h"

/* False: *WHY as for connection_open(); the connection is there to be parted with. */
MUST_CHECK bool connection_greet(struct connection *c, const struct destination *d, const struct errand *errand,
                                 struct outcome *why);

/* Features in the text of a reply to EHLO, without those of DISCARD.  *BAD_SIZE: what SIZE had behind it that is no
 * number, else empty.  Pure. */
unsigned connection_features(slice text, unsigned discard, int64_t *size_limit, slice *bad_size);
/* Features in "pipelining, dsn". */
unsigned connection_features_listed(slice list);

#endif
