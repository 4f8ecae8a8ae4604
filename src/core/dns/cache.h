/* core/dns/cache.h - what was asked a moment ago: for programs that ask the same thing several times in a row.
 *
 * An answer is kept for its shortest TTL, one without records for some seconds, both for MOST_US at most.  Answers come out
 * as copies in the caller's arena.  Not for who must see each change at once.  Depends on: core/dns/dns.h. */
#ifndef CORE_DNS_CACHE_H
#define CORE_DNS_CACHE_H

#include "core/dns/dns.h"

struct dns_cache;

/* Keeps at most MOST answers; D is the caller's and must outlive it. */
struct dns_cache *dns_cache_new(struct dns *d, size_t most, int64_t most_us);
void dns_cache_free(struct dns_cache *c);
/* As dns_lookup(). */
MUST_CHECK enum dns_got dns_cache_lookup(struct dns_cache *c, slice name, enum dns_type type, struct arena *arena,
                                         deadline by, struct dns_answer *out, struct err *err);

#endif
