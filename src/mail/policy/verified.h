/* mail/policy/verified.h - is the address deliverable, as far as verify(8) knows or finds out?  ADDRESS_VERIFICATION_README's
 * facts. */
#ifndef MAIL_POLICY_VERIFIED_H
#define MAIL_POLICY_VERIFIED_H

#include "mail/policy/walk.h"

/* Asks for the address that the client gave, as often as address_verify_poll_count says while a probe is on its way. */
enum walk_result verified_recipient(struct walk *w);
enum walk_result verified_sender(struct walk *w);

#endif
