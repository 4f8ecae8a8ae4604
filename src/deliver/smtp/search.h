/* deliver/smtp/search.h - finding the servers of a destination: what destination.c, search.c, dns_filter.c and order.c
 * share.
 *
 * search.c collects addresses, order.c says which of them are tried, and when.  Texts and targets live in the arena. */
#ifndef DELIVER_SMTP_SEARCH_H
#define DELIVER_SMTP_SEARCH_H

#include "core/dns/dns.h"
#include "deliver/smtp/settings.h"
#include "deliver/smtp/target.h"
#include "mail/envelope/outcome.h"

struct search {
    const struct settings *settings;
    struct dns *dns;
    struct arena *arena;
    deadline by;
    uint16_t port;
    struct target *found; /* newest first; order_targets() brings them into order */
    size_t count;
    struct outcome why; /* when none is found */
    bool soft;          /* some look-up failed for now: a permanent answer elsewhere does not bounce the mail */
};

struct outcome search_outcome(enum outcome_kind kind, struct dsn_code dsn, slice reason);

/* Adds all addresses of one host.  Of several hosts without any, the last one is told of; one that may get some later
 * means that the mail waits. */
void search_host(struct search *s, slice host, unsigned preference);
/* Adds the servers of DOMAIN; its own address when it has no MX. */
void search_domain(struct search *s, slice domain);

/* smtp_dns_reply_filter: takes out of A what is to be ignored.  False: *WHY, for nothing is left of it, or the filter
 * cannot be used; the mail waits. */
MUST_CHECK bool dns_filter(const struct search *s, slice name, enum dns_type type, struct dns_answer *a,
                           struct outcome *why);

/* Best preference first; of equal ones those of the preferred address family (smtp_address_preference) first, the rest
 * at random.  False: no memory. */
MUST_CHECK bool order_targets(struct search *s);
/* Mail for a domain whose best server is this machine would come straight back: only better ones than us count.  As
 * everywhere in the field, this is looked at for port 25 alone.  OWN_IS_BEST: none is left, and s->why says so. */
enum own_place order_drop_own(struct search *s, slice domain);
/* Keeps the first LIMIT (0: all), of both families where there are two and that is wanted. */
void order_limit(struct search *s, int limit, bool balanced);

#endif
