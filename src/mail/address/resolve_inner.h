/* mail/address/resolve_inner.h - what resolve.c and route.c share.  For mail/address alone. */
#ifndef MAIL_ADDRESS_RESOLVE_INNER_H
#define MAIL_ADDRESS_RESOLVE_INNER_H

#include "core/net/endpoint.h"
#include "mail/address/resolve.h"
#include "mail/table/table.h"

/* "transport:nexthop", either part may be empty. */
struct route {
    slice transport, nexthop;
};

struct resolver {
    const struct params *params;
    struct rewrite_rules rules; /* local */
    struct match_list *mydestination, *virtual_alias_domains, *virtual_mailbox_domains, *relay_domains;
    struct tables *transport_maps, *relocated_maps, *sender_relayhost_maps, *sender_transport_maps;
    struct route local, virtual, relay, standard; /* by class; "standard" is default_transport */
    slice relayhost;
    bool parents_of_transport; /* parent_domain_matches_subdomains has transport_maps */
    struct interface_address *own;
    size_t own_count;
    struct endpoint *proxies; /* proxy_interfaces */
    size_t proxy_count;
};

enum { RESOLVE_TEXT_MAX = 1 << 16 };

/* One question under way. */
struct resolving {
    struct resolver *r;
    slice sender;
    deadline by;
    struct buf local;  /* local part, raw */
    struct buf domain; /* domain, standard text */
    bool has_domain;
    int64_t flags;
    struct buf transport, nexthop, value;
    const char *where;
    struct err *err;
};

/* Is the domain (or address literal) one of ours? */
enum table_got resolver_is_local(struct resolving *q, slice domain);
/* From the standard form to class, transport and next hop.  False: q->err, q->where. */
MUST_CHECK bool resolver_route(struct resolving *q);
struct route route_parse(slice text);

#endif
