/* mail/address/probe_sender.h - the sender of verify(8)'s probes: address_verify_sender, with a part that changes with time. */
#ifndef MAIL_ADDRESS_PROBE_SENDER_H
#define MAIL_ADDRESS_PROBE_SENDER_H

#include "core/base/buf.h"
#include "mail/params/params.h"

/* The sender at NOW_S (seconds since 1970), internal form; empty: the null sender. */
bool probe_sender(const struct params *p, int64_t now_s, struct buf *out);
/* Is ADDRESS the sender of a probe that may be on its way now?  Mail for it is a server's answer to a probe: always taken. */
bool probe_sender_is(const struct params *p, int64_t now_s, slice address);

#endif
