/* deliver/smtp/destination.h - from a nexthop to the servers to try, in order.
 *
 * A nexthop is a list of "domain", "domain:port", "[host]", "[host]:port", "[address]:port".  Without brackets the
 * domain's MX records count (RFC 5321 5.1), else the host's own addresses.  LMTP knows no MX, but "unix:path" and
 * "inet:" in front of the other forms.  May suspend (DNS).  Results live in the arena. */
#ifndef DELIVER_SMTP_DESTINATION_H
#define DELIVER_SMTP_DESTINATION_H

#include "core/dns/dns.h"
#include "deliver/smtp/settings.h"
#include "mail/envelope/outcome.h"

struct destination {
    slice text; /* as given: the key for connection reuse */
    slice host; /* domain, host or address, without brackets and port */
    slice path; /* of a UNIX socket; else empty */
    bool no_mx; /* was in brackets */
    uint16_t port;
};
/* Pure but for service names.  False: not a destination. */
bool destination_parse(slice text, const char *default_port, struct destination *out);
/* The same for lmtp(8). */
bool destination_parse_lmtp(slice text, const char *default_port, struct destination *out);

struct target {
    struct target *next; /* best first; equal preferences in random order */
    slice host;          /* name, or the address for a literal */
    slice path;          /* of a UNIX socket, with a NUL behind it; else empty: */
    struct endpoint address;
    unsigned preference;
    unsigned family_rank, place; /* among those of the same preference */
};

/* Where this machine stands among the servers of a domain. */
enum own_place {
    OWN_IS_NONE,
    OWN_IS_WORSE, /* others are better, and alone are tried: no fallback relay may be asked instead */
    OWN_IS_BEST,  /* mail for it loops back */
};
/* True: *OUT has at least one target.  False: *WHY tells what becomes of the recipients (host not found, null MX, loops
 * to myself, ...). */
MUST_CHECK bool destination_targets(const struct destination *d, const struct settings *settings, struct dns *dns,
                                    struct arena *arena, deadline by, struct target **out, struct outcome *why,
                                    enum own_place *own_place);

/* Addresses that this machine receives mail on: inet_interfaces and proxy_interfaces.  Loaded once at start. */
MUST_CHECK bool own_addresses_load(const struct params *params, struct err *err);
bool own_address(const struct endpoint *e);

#endif
