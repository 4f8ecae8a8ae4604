/* mail/policy/domain.h - what DNS says of a client's names: facts, no verdicts.
 *
 * All functions suspend until the question's deadline at most; answers live in its arena. */
#ifndef MAIL_POLICY_DOMAIN_H
#define MAIL_POLICY_DOMAIN_H

#include "core/dns/dns.h"
#include "mail/policy/walk.h"

enum domain_fact {
    DOMAIN_EXISTS,
    DOMAIN_MISSING,
    DOMAIN_REFUSES_MAIL, /* RFC 7505: "MX 0 ."; any MX without a name counts */
    DOMAIN_UNCERTAIN,    /* no answer */
};

/* Can mail be sent there: has it an MX, or else an address? */
enum domain_fact domain_takes_mail(struct walk *w, slice domain);
/* Has it an address, or else an MX?  A name that no host may have is missing, without asking. */
enum domain_fact domain_is_host(struct walk *w, slice name);

/* Does a name server's answer say that no mail is wanted? */
bool domain_is_null_mx(const struct dns_record *records);
/* NAME's addresses, of the families in inet_protocols, as the host's own name service sees them (/etc/hosts too). */
enum dns_got domain_addresses(struct walk *w, slice name, struct dns_answer *out);
/* One question; DNS_TRY_AGAIN also when memory ends or the session is cancelled. */
enum dns_got domain_ask(struct walk *w, slice name, enum dns_type type, struct dns_answer *out);

#endif
