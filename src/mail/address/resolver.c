/* The tables and lists of a resolver. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/conf/main_cf.h"
#include "mail/address/resolve_inner.h"
#include "mail/params/own_address.h"

static bool parents_match(const struct params *p, const char *what, struct err *err)
{
    struct match_list *list = match_list_open(slice_text(p->parent_domain_matches_subdomains), MATCH_STRING, false, err);
    bool has;

    if (list == NULL)
        return false;
    has = match_list_has(list, slice_text(what), S(""), AT_ONCE, err) == TABLE_FOUND;
    match_list_close(list);
    return has;
}

static struct match_list *open_list(const struct params *p, const char *text, const char *name, enum match_kind kind,
                                    struct err *err)
{
    struct match_list *list = match_list_open(slice_text(text), kind, parents_match(p, name, err), err);

    if (list == NULL)
        err_note(err, "%s", name);
    return list;
}

static bool open_lists(struct resolver *r, const struct params *p, struct err *err)
{
    r->mydestination = open_list(p, p->mydestination, "mydestination", MATCH_STRING, err);
    if (r->mydestination == NULL)
        return false;
    r->virtual_alias_domains = open_list(p, p->virtual_alias_domains, "virtual_alias_domains", MATCH_STRING, err);
    if (r->virtual_alias_domains == NULL)
        return false;
    r->virtual_mailbox_domains = open_list(p, p->virtual_mailbox_domains, "virtual_mailbox_domains", MATCH_STRING, err);
    if (r->virtual_mailbox_domains == NULL)
        return false;
    r->relay_domains = open_list(p, p->relay_domains, "relay_domains", MATCH_DOMAIN, err);
    return r->relay_domains != NULL;
}

static bool open_tables(struct tables **to, const char *text, struct buf *warnings, struct err *err)
{
    *to = tables_open(slice_text(text), TABLE_FOLD, warnings, err);
    return *to != NULL;
}

static bool open_maps(struct resolver *r, const struct params *p, bool verify, struct buf *warnings, struct err *err)
{
    return open_tables(&r->transport_maps, verify ? p->address_verify_transport_maps : p->transport_maps, warnings, err) &&
           open_tables(&r->relocated_maps, p->relocated_maps, warnings, err) &&
           open_tables(&r->sender_relayhost_maps,
                       verify ? p->address_verify_sender_dependent_relayhost_maps : p->sender_dependent_relayhost_maps,
                       warnings, err) &&
           open_tables(&r->sender_transport_maps,
                       verify ? p->address_verify_sender_dependent_default_transport_maps
                              : p->sender_dependent_default_transport_maps,
                       warnings, err);
}

static void read_routes(struct resolver *r, const struct params *p, bool verify)
{
    r->local = route_parse(slice_text(verify ? p->address_verify_local_transport : p->local_transport));
    r->virtual = route_parse(slice_text(verify ? p->address_verify_virtual_transport : p->virtual_transport));
    r->relay = route_parse(slice_text(verify ? p->address_verify_relay_transport : p->relay_transport));
    r->standard = route_parse(slice_text(verify ? p->address_verify_default_transport : p->default_transport));
    r->relayhost = slice_text(verify ? p->address_verify_relayhost : p->relayhost);
}

/* Addresses only; host names in proxy_interfaces would need a resolver at start. */
static bool read_proxies(struct resolver *r, slice list, struct err *err)
{
    enum conf_got got;
    slice item;
    bool braced;

    while ((got = conf_next_item(&list, ", \t\r\n", &item, &braced, err)) == CONF_ITEM) {
        struct endpoint e;

        if (endpoint_parse(item, &e)) {
            r->proxies = xrealloc_array(r->proxies, r->proxy_count + 1, sizeof *r->proxies);
            r->proxies[r->proxy_count++] = e;
            continue;
        }
        return err_set(err, ERR_CONFIG, "config variable proxy_interfaces: host not found: %.*s", S_ARG(item));
    }
    return got == CONF_END;
}

struct resolver *resolver_new(struct params *p, bool verify, struct buf *warnings, struct err *err)
{
    struct resolver *r = xcalloc(1, sizeof *r);

    r->params = p;
    r->rules = resolver_rewrite_rules(p, true);
    read_routes(r, p, verify);
    r->parents_of_transport = parents_match(p, "transport_maps", err);
    if (open_lists(r, p, err) && open_maps(r, p, verify, warnings, err) &&
        own_addresses_get(slice_text(p->inet_interfaces), slice_text(p->inet_protocols), &r->own, &r->own_count, err) &&
        read_proxies(r, slice_text(p->proxy_interfaces), err))
        return r;
    resolver_free(r);
    return NULL;
}

void resolver_free(struct resolver *r)
{
    if (r == NULL)
        return;
    match_list_close(r->mydestination);
    match_list_close(r->virtual_alias_domains);
    match_list_close(r->virtual_mailbox_domains);
    match_list_close(r->relay_domains);
    tables_close(r->transport_maps);
    tables_close(r->relocated_maps);
    tables_close(r->sender_relayhost_maps);
    tables_close(r->sender_transport_maps);
    free(r->own);
    free(r->proxies);
    free(r);
}

bool resolver_changed(const struct resolver *r, struct buf *name)
{
    return match_list_changed(r->mydestination, name) || match_list_changed(r->virtual_alias_domains, name) ||
           match_list_changed(r->virtual_mailbox_domains, name) || match_list_changed(r->relay_domains, name) ||
           tables_changed(r->transport_maps, name) || tables_changed(r->relocated_maps, name) ||
           tables_changed(r->sender_relayhost_maps, name) || tables_changed(r->sender_transport_maps, name);
}
