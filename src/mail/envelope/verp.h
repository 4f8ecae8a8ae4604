/* mail/envelope/verp.h - a sender's address for one recipient, so that a report tells whose it is (VERP_README's facts). */
#ifndef MAIL_ENVELOPE_VERP_H
#define MAIL_ENVELOPE_VERP_H

#include "core/base/buf.h"
#include "mail/envelope/recipient.h"

/* "user" D1 "rcpt" D2 "rcpt-domain" "@domain", the recipient as it was at first; D1 and D2 are the two characters DELIMITERS.
 * Internal forms.  False: too long for OUT. */
bool verp_address(slice sender, slice delimiters, const struct recipient *r, struct buf *out);

/* What is wrong with DELIMITERS ("bad first VERP delimiter character"), which must be two characters of ALLOWED; NULL: nothing. */
const char *verp_delimiters_fault(slice delimiters, slice allowed);

#endif
