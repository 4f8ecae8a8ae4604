/* deliver/smtp/xforward.h - telling a server, one of our own content filters, where the message came from.
 *
 * smtp_send_xforward_command; what the server takes is in its answer to EHLO.  Source: XFORWARD_README. */
#ifndef DELIVER_SMTP_XFORWARD_H
#define DELIVER_SMTP_XFORWARD_H

#include "deliver/smtp/connection.h"
#include "deliver/smtp/verdict.h"
#include "mail/proto/delivery.h"

/* What a server takes, by the text of its reply to EHLO: bits for c->xforward.  Pure. */
unsigned xforward_offered(slice text);

/* Says what is known and wanted of W's client; a server that refuses is told of in the log.  False: the connection
 * broke in *PHASE, *ERR.  May suspend. */
MUST_CHECK bool xforward_say(struct connection *c, const struct delivery_request *w, struct arena *arena,
                             enum phase *phase, struct err *err);

#endif
