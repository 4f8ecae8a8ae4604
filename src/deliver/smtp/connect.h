/* deliver/smtp/connect.h - how a connection begins.  Suspends.  Depends on: core/net, greet.h. */
#ifndef DELIVER_SMTP_CONNECT_H
#define DELIVER_SMTP_CONNECT_H

#include "deliver/smtp/connection.h"

/* Connects and says EHLO (HELO when that is refused).  NULL: *WHY is the outcome, texts in the errand's arena; one that
 * bounces is about the mail and all servers, another about this server. */
MUST_CHECK struct connection *connection_open(const struct destination *d, const struct target *t,
                                              const struct settings *settings, const struct errand *errand,
                                              struct outcome *why);
/* The same over STREAM, which is connected already and becomes the connection's. */
MUST_CHECK struct connection *connection_begin(const struct destination *d, const struct target *t,
                                               const struct settings *settings, const struct errand *errand,
                                               struct stream *stream, struct outcome *why);

#endif
