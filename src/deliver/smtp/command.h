/* deliver/smtp/command.h - MAIL FROM and RCPT TO with the parameters that a server understands.
 *
 * Pure: lines with CRLF are added to OUT.  RFC 1870 (SIZE), 6152 (BODY), 3461 (ENVID, RET, ORCPT, NOTIFY), 6531
 * (SMTPUTF8). */
#ifndef DELIVER_SMTP_COMMAND_H
#define DELIVER_SMTP_COMMAND_H

#include "core/base/buf.h"
#include "mail/envelope/recipient.h"
#include "mail/proto/delivery.h"

/* PATH is the address as it stands between < and >, which may be another one than the message came with.  FEATURES as
 * in connection.h.  SIZE_KNOWN: the content goes out as it is; one that may have to be converted has no known size. */
void command_mail(const struct delivery_request *w, slice path, unsigned features, bool size_known, struct buf *out);
void command_rcpt(const struct recipient *r, slice path, unsigned features, struct buf *out);

#endif
