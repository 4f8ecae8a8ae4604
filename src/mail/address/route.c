/* Class, transport and next hop of an address in standard form. */
#include "core/base/cut.h"
#include "mail/address/resolve_inner.h"
#include "mail/syntax/address.h"

struct route route_parse(slice text)
{
    struct route r = {0};
    slice rest = text;

    if (!cut_until(&rest, ':', &r.transport)) {
        r.transport = text;
        rest = S("");
    }
    r.nexthop = rest;
    return r;
}

static void set_text(struct buf *b, slice text)
{
    buf_clear(b);
    buf_add(b, text);
}

static bool in_list(struct resolving *q, struct match_list *list, const char *where, slice domain, bool *found)
{
    enum table_got got = match_list_has(list, domain, S(""), q->by, q->err);

    *found = got == TABLE_FOUND;
    if (got == TABLE_FAILED)
        q->where = where;
    return got != TABLE_FAILED;
}

static bool is_own_address(const struct resolver *r, slice literal)
{
    struct endpoint e;

    if (!domain_is_literal(literal) || !endpoint_parse(literal, &e))
        return false;
    for (size_t i = 0; i < r->own_count; i++) {
        if (endpoint_same_host(&r->own[i].address, &e))
            return true;
    }
    for (size_t i = 0; i < r->proxy_count; i++) {
        if (endpoint_same_host(&r->proxies[i], &e))
            return true;
    }
    return false;
}

enum table_got resolver_is_local(struct resolving *q, slice domain)
{
    bool found;

    if (!in_list(q, q->r->mydestination, "mydestination", domain, &found))
        return TABLE_FAILED;
    return found || is_own_address(q->r, domain) ? TABLE_FOUND : TABLE_NOT_FOUND;
}

/* ---- sender-dependent overrides ---- */

/* *FOUND: q->value is the override.  DUNNO ends the search without one. */
static bool by_sender(struct resolving *q, struct tables *maps, const char *where, const char *null_sender, bool *found)
{
    const struct address_lookup how = {.delimiters = slice_text(q->r->params->recipient_delimiter)};
    slice sender = q->sender.n > 0 ? q->sender : slice_text(null_sender);
    enum table_got got = tables_get_address(maps, sender, ADDRESS_FULL | ADDRESS_DOMAIN, &how, q->by, &q->value, q->err);

    *found = got == TABLE_FOUND && !slice_eq_case(buf_slice(&q->value), S("DUNNO"));
    if (got == TABLE_FAILED)
        q->where = where;
    return got != TABLE_FAILED;
}

/* ---- classes ---- */

/* The next hop that relayhost, sender-dependent or not, gives; else the domain itself. */
static bool next_by_relayhost(struct resolving *q)
{
    bool found;

    if (!by_sender(q, q->r->sender_relayhost_maps, "sender_dependent_relayhost_maps",
                   q->r->params->empty_address_relayhost_maps_lookup_key, &found))
        return false;
    if (found)
        set_text(&q->nexthop, buf_slice(&q->value));
    else if (q->r->relayhost.n > 0)
        set_text(&q->nexthop, q->r->relayhost);
    else
        set_text(&q->nexthop, buf_slice(&q->domain));
    return true;
}

static void take_route(struct resolving *q, struct route route)
{
    set_text(&q->transport, route.transport);
    set_text(&q->nexthop, route.nexthop.n > 0 ? route.nexthop : buf_slice(&q->domain));
}

static bool class_default(struct resolving *q)
{
    struct route route = q->r->standard;
    bool found;

    q->flags |= RESOLVE_DEFAULT;
    if (!by_sender(q, q->r->sender_transport_maps, "sender_dependent_default_transport_maps",
                   q->r->params->empty_address_default_transport_maps_lookup_key, &found))
        return false;
    if (found)
        route = route_parse(buf_slice(&q->value));
    take_route(q, route);
    return route.nexthop.n > 0 || next_by_relayhost(q);
}

static bool class_relay(struct resolving *q)
{
    q->flags |= RESOLVE_RELAY;
    take_route(q, q->r->relay);
    return q->r->relay.nexthop.n > 0 || next_by_relayhost(q);
}

static void class_virtual_alias(struct resolving *q)
{
    q->flags |= RESOLVE_VIRTUAL_ALIAS;
    set_text(&q->transport, S("error"));
    buf_clear(&q->nexthop);
    buf_addf(&q->nexthop, "5.1.1 User unknown%s",
             q->r->params->show_user_unknown_table_name ? " in virtual alias table" : "");
}

static bool find_class(struct resolving *q)
{
    slice domain = buf_slice(&q->domain);
    bool found;

    switch (resolver_is_local(q, domain)) {
    case TABLE_FOUND:
        q->flags |= RESOLVE_LOCAL;
        take_route(q, q->r->local);
        return true;
    case TABLE_FAILED:
        return false;
    case TABLE_NOT_FOUND:
        break;
    }
    if (!in_list(q, q->r->virtual_alias_domains, "virtual_alias_domains", domain, &found))
        return false;
    if (found) {
        class_virtual_alias(q);
        return true;
    }
    if (!in_list(q, q->r->virtual_mailbox_domains, "virtual_mailbox_domains", domain, &found))
        return false;
    if (found) {
        q->flags |= RESOLVE_VIRTUAL_MAILBOX;
        take_route(q, q->r->virtual);
        return true;
    }
    if (!in_list(q, q->r->relay_domains, "relay_domains", domain, &found))
        return false;
    return found ? class_relay(q) : class_default(q);
}

/* ---- transport(5) ---- */

/* DOMAIN, then .parents (or parents, where those match subdomains), then "*". */
static enum table_got transport_by_domain(struct resolving *q)
{
    slice key = buf_slice(&q->domain);
    enum table_got got = tables_get_part(q->r->transport_maps, key, q->by, &q->value, q->err);
    size_t dot;

    while (got == TABLE_NOT_FOUND && !domain_is_literal(buf_slice(&q->domain)) &&
           (dot = slice_find(slice_skip(key, 1), '.')) != SLICE_NONE) {
        key = slice_skip(key, dot + 1 + (q->r->parents_of_transport ? 1 : 0));
        got = tables_get_part(q->r->transport_maps, key, q->by, &q->value, q->err);
    }
    if (got == TABLE_NOT_FOUND)
        got = tables_get_part(q->r->transport_maps, S("*"), q->by, &q->value, q->err);
    return got;
}

static bool apply_transport_maps(struct resolving *q, slice recipient)
{
    const struct address_lookup how = {.delimiters = slice_text(q->r->params->recipient_delimiter)};
    enum table_got got;
    struct route route;

    if (tables_empty(q->r->transport_maps))
        return true;
    got = tables_get_address(q->r->transport_maps, recipient, ADDRESS_FULL, &how, q->by, &q->value, q->err);
    if (got == TABLE_NOT_FOUND)
        got = transport_by_domain(q);
    if (got == TABLE_FAILED) {
        q->where = "transport_maps";
        return false;
    }
    if (got == TABLE_NOT_FOUND)
        return true;
    route = route_parse(buf_slice(&q->value));
    if (route.transport.n > 0)
        take_route(q, (struct route){route.transport, S("")});
    if (route.nexthop.n > 0)
        set_text(&q->nexthop, route.nexthop);
    else if (slice_eq(buf_slice(&q->transport), S("error")) && route.transport.n > 0)
        set_text(&q->nexthop, S("Address is undeliverable"));
    return true;
}

/* ---- relocated(5) ---- */

static bool is_local_domain(void *context, slice domain)
{
    struct resolving *q = context;
    struct err *keep = q->err, ignored;
    bool local;

    q->err = &ignored;
    local = slice_eq_case(domain, slice_text(q->r->params->myorigin)) || resolver_is_local(q, domain) == TABLE_FOUND;
    q->err = keep;
    return local;
}

static bool apply_relocated_maps(struct resolving *q, slice recipient)
{
    const struct address_lookup how = {
        .delimiters = slice_text(q->r->params->recipient_delimiter), .is_local_domain = is_local_domain, .context = q};

    if (tables_empty(q->r->relocated_maps))
        return true;
    switch (tables_get_address(q->r->relocated_maps, recipient, ADDRESS_FULL | ADDRESS_USER | ADDRESS_DOMAIN, &how, q->by,
                               &q->value, q->err)) {
    case TABLE_FOUND:
        set_text(&q->transport, S("error"));
        buf_clear(&q->nexthop);
        buf_addf(&q->nexthop, "5.1.6 User has moved to %s", buf_text(&q->value));
        return true;
    case TABLE_NOT_FOUND:
        return true;
    case TABLE_FAILED:
        q->where = "relocated_maps";
        break;
    }
    return false;
}

bool resolver_route(struct resolving *q)
{
    AUTO_BUF struct buf recipient = BUF_INIT(2 * RESOLVE_TEXT_MAX);

    if (!find_class(q))
        return false;
    buf_add(&recipient, buf_slice(&q->local));
    buf_add_char(&recipient, '@');
    buf_add(&recipient, buf_slice(&q->domain));
    if (!(q->flags & RESOLVE_VIRTUAL_ALIAS) && !apply_transport_maps(q, buf_slice(&recipient)))
        return false;
    return apply_relocated_maps(q, buf_slice(&recipient));
}
