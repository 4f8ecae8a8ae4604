/* deliver/smtp/destination.h - from a nexthop to the servers to try, in order.
 *
 * A nexthop is a list of "domain", "domain:port", "[host]", "[host]:port", "[address]:port".  Without brackets the
 * domain's MX records count (RFC 5321 5.1), else the host's own addresses.  LMTP knows no MX, but "unix:path" and
 * "inet:" in front of the other forms.  May suspend (DNS).  Results live in the arena. */
#ifndef DELIVER_SMTP_DESTINATION_H
#define DELIVER_SMTP_DESTINATION_H

#include "core/dns/dns.h"
#include "deliver/smtp/settings.h"
#include "deliver/smtp/target.h"
#include "mail/envelope/outcome.h"

struct destination {
    slice text; /* as given: the key for connection reuse */
    slice host; /* domain, host or address, without brackets and port */
    slice path; /* of a UNIX socket; else empty */
    bool no_mx; /* was in brackets */
    uint16_t port;
};
/* Once at start: known_tcp_ports. */
void destination_open(const struct params *params);
/* Pure but for service names.  False: not a destination. */
bool destination_parse(slice text, const char *default_port, struct destination *out);
/* The same for lmtp(8). */
bool destination_parse_lmtp(slice text, const char *default_port, struct destination *out);

/* True: *OUT has at least one target.  False: *WHY tells what becomes of the recipients (host not found, null MX, loops
 * to myself, ...). */
MUST_CHECK bool destination_targets(const struct destination *d, const struct settings *settings, struct dns *dns,
                                    struct arena *arena, deadline by, struct target **out, struct outcome *why,
                                    enum own_place *own_place);

#endif
