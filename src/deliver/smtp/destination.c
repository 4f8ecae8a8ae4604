#include "deliver/smtp/destination.h"

#include <stdlib.h>
#include <sys/random.h>

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/params/own_address.h"
#include "mail/syntax/address.h"

static struct interface_address *own;
static size_t own_count;

bool own_addresses_load(const struct params *params, struct err *err)
{
    slice proxies = slice_text(params->proxy_interfaces), word;

    if (!own_addresses_get(slice_text(params->inet_interfaces), slice_text(params->inet_protocols), &own, &own_count,
                           err))
        return false;
    while (cut_word(&proxies, ", \t\r\n", &word)) {
        struct endpoint e;
        struct interface_address *grown;

        if (!endpoint_parse(word, &e))
            continue;
        grown = reallocarray(own, own_count + 1, sizeof *own);
        if (grown == NULL)
            return err_set(err, ERR_LIMIT, "no memory for proxy_interfaces");
        own = grown;
        own[own_count++] = (struct interface_address){.address = e};
    }
    return true;
}

static bool is_own(const struct endpoint *e)
{
    for (size_t i = 0; i < own_count; i++)
        if (endpoint_same_host(&own[i].address, e))
            return true;
    return false;
}

bool destination_parse(slice text, const char *default_port, struct destination *out)
{
    struct destination d = {.text = text};
    slice rest = text, port = slice_text(default_port);

    if (cut_char(&rest, '[')) {
        d.no_mx = true;
        if (!cut_until(&rest, ']', &d.host))
            return false;
        (void)cut_prefix_case(&d.host, S("ipv6:"));
        if (rest.n > 0) {
            if (!cut_char(&rest, ':'))
                return false;
            port = rest;
        }
    } else if (cut_until(&rest, ':', &d.host)) {
        port = rest;
    } else {
        d.host = rest;
    }
    if (d.host.n == 0 || slice_find_any(d.host, " \t[]") != SLICE_NONE || !port_parse(port, &d.port))
        return false;
    *out = d;
    return true;
}

bool destination_parse_lmtp(slice text, const char *default_port, struct destination *out)
{
    struct destination d = {.text = text, .no_mx = true};
    slice rest = text;

    if (cut_prefix(&rest, S("unix:"))) {
        d.path = rest;
        if (rest.n == 0)
            return false;
        *out = d;
        return true;
    }
    (void)cut_prefix(&rest, S("inet:"));
    if (!destination_parse(rest, default_port, &d))
        return false;
    d.text = text;
    d.no_mx = true;
    *out = d;
    return true;
}

static struct outcome outcome_of(enum outcome_kind kind, struct dsn_code dsn, slice reason)
{
    return (struct outcome){.kind = kind, .dsn = dsn, .reason = reason, .relay = S("none")};
}

/* What a failed look-up means for the mail. */
static struct outcome outcome_of_dns(enum dns_got got, const struct dns_answer *a, struct arena *arena,
                                     const struct err *err)
{
    slice reason = S("Host or domain name not found");

    if (got == DNS_FAILED)
        return outcome_from_err(err);
    reason = arena_keep(arena, slice_text(a->reason), reason);
    if (got == DNS_TRY_AGAIN)
        return outcome_of(OUTCOME_DEFERRED, (struct dsn_code){4, 4, 3}, reason);
    return outcome_of(OUTCOME_BOUNCED, (struct dsn_code){5, 4, got == DNS_NO_WAY ? 3 : 4}, reason);
}

struct search {
    const struct settings *settings;
    struct dns *dns;
    struct arena *arena;
    deadline by;
    uint16_t port;
    struct target *found;
    size_t count;
    struct outcome why;
    bool soft; /* some look-up failed for now: a permanent answer elsewhere does not bounce the mail */
};

static void add_target(struct search *s, slice host, const struct endpoint *address, unsigned preference)
{
    struct target *t = ARENA_NEW(s->arena, struct target);

    if (t == NULL)
        return;
    *t = (struct target){.next = s->found, .host = host, .address = *address, .preference = preference};
    endpoint_set_port(&t->address, s->port);
    s->found = t;
    s->count++;
}

static bool is_listed(const char *list, slice wanted)
{
    slice rest = slice_text(list), word;

    while (cut_word(&rest, ", \t\r\n", &word))
        if (slice_eq_case(word, wanted))
            return true;
    return false;
}

static bool wants(const struct search *s, enum dns_type type)
{
    const char *protocols = s->settings->params->inet_protocols;

    return is_listed(protocols, S("all")) || is_listed(protocols, type == DNS_A ? S("ipv4") : S("ipv6"));
}

/* One question, with what is odd about the answer told in the log. */
static enum dns_got ask(struct search *s, slice name, enum dns_type type, struct dns_answer *a, struct err *err)
{
    enum dns_got got = dns_lookup(s->dns, name, type, s->arena, s->by, a, err);

    if (got == DNS_FOUND && a->cut)
        event_warning("DNS record count limit (%d) exceeded -- dropping excess record(s) after qname=%.*s qtype=%s",
                      DNS_RECORDS_MOST, S_ARG(name), dns_type_name(type));
    else if (got == DNS_NO_NAME && a->looped)
        event_warning("dns_lookup: %s", a->reason);
    return got;
}

static void add_records(struct search *s, slice host, const struct dns_answer *a, unsigned preference)
{
    for (const struct dns_record *r = a->records; r != NULL; r = r->next)
        add_target(s, host, &r->address, preference);
}

/* What the name server said of HOST when it has no address. */
struct no_address {
    bool found, soft;
    enum dns_got got;
    struct outcome why;
};

static void note_failure(struct no_address *n, enum dns_got got, const struct dns_answer *a, struct arena *arena,
                         const struct err *err)
{
    bool soft = got == DNS_TRY_AGAIN || got == DNS_FAILED;

    if (n->soft && !soft)
        return;
    n->soft = soft;
    n->got = got;
    n->why = outcome_of_dns(got, a, arena, err);
}

static void look_up_in_dns(struct search *s, slice host, unsigned preference, struct no_address *n)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct dns_answer a;
        struct err err;
        enum dns_got got;

        if (!wants(s, types[i]))
            continue;
        got = ask(s, host, types[i], &a, &err);
        if (got == DNS_FOUND) {
            add_records(s, host, &a, preference);
            n->found = true;
        } else {
            note_failure(n, got, &a, s->arena, &err);
        }
    }
}

/* By the machine's own means: /etc/hosts and what nsswitch.conf names. */
static void look_up_natively(struct search *s, slice host, unsigned preference, struct no_address *n)
{
    int family = !wants(s, DNS_AAAA) ? AF_INET : !wants(s, DNS_A) ? AF_INET6 : AF_UNSPEC;
    struct dns_answer a;
    struct err err;
    enum dns_got got = host_lookup(host, family, s->arena, s->by, &a, &err);

    if (got == DNS_FOUND) {
        add_records(s, host, &a, preference);
        n->found = true;
    } else {
        n->soft = false; /* this is the last word */
        note_failure(n, got, &a, s->arena, &err);
        if (got == DNS_NO_DATA)
            n->why.dsn = (struct dsn_code){5, 3, 0};
    }
}

/* All addresses of one host.  Of several hosts without any, the last one is told of; one that may get some later means
 * that the mail waits. */
static void add_host(struct search *s, slice host, unsigned preference)
{
    struct no_address n = {0};
    struct endpoint literal;

    if (endpoint_parse(host, &literal)) {
        add_target(s, host, &literal, preference);
        return;
    }
    if (s->settings->uses_dns)
        look_up_in_dns(s, host, preference, &n);
    if (s->settings->uses_native && !n.found && (!s->settings->uses_dns || !n.soft))
        look_up_natively(s, host, preference, &n);
    if (n.found || n.why.reason.n == 0)
        return;
    s->soft = s->soft || n.soft;
    s->why = n.why;
    if (s->soft && !n.soft) {
        s->why.kind = OUTCOME_DEFERRED;
        s->why.dsn.class = 4;
    }
}

/* ---- MX ---- */

static bool has_misplaced_hyphen(slice name)
{
    slice label;

    while (cut_field(&name, '.', &label))
        if (slice_starts(label, S("-")) || slice_ends(label, S("-")))
            return true;
    return false;
}

/* Is this record the name of a host?  Addresses are none, but in use; anything else is left out. */
static bool is_usable(slice domain, const struct dns_record *r)
{
    if (endpoint_parse(r->text, &(struct endpoint){0})) {
        event_warning("numeric domain name in resource data of MX record for %.*s: %.*s", S_ARG(domain),
                      S_ARG(r->text));
        return true;
    }
    if (hostname_valid(r->text) || (slice_starts(r->text, S("*.")) && hostname_valid(slice_skip(r->text, 2))))
        return true;
    if (has_misplaced_hyphen(r->text))
        event_warning("valid_hostname: misplaced hyphen: %.*s", S_ARG(r->text));
    event_warning("malformed domain name in resource data of MX record for %.*s: %.*s", S_ARG(domain), S_ARG(r->text));
    return false;
}

static bool has_null_mx(const struct dns_answer *a)
{
    for (const struct dns_record *r = a->records; r != NULL; r = r->next)
        if (r->text.n == 0)
            return true;
    return false;
}

/* The usable records, best preference first, equal ones as they came.  *COUNT of them. */
static const struct dns_record **usable_records(slice domain, const struct dns_answer *a, struct arena *arena,
                                                size_t *count)
{
    const struct dns_record **sorted = arena_alloc_array(arena, DNS_RECORDS_MOST, sizeof *sorted);
    size_t n = 0;

    for (const struct dns_record *r = a->records; r != NULL && sorted != NULL && n < DNS_RECORDS_MOST; r = r->next) {
        size_t at = n;

        if (!is_usable(domain, r))
            continue;
        for (; at > 0 && sorted[at - 1]->preference > r->preference; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = r;
        n++;
    }
    *count = n;
    return sorted;
}

static void add_mx_hosts(struct search *s, slice domain, const struct dns_answer *a)
{
    size_t count = 0;
    const struct dns_record **hosts = usable_records(domain, a, s->arena, &count);

    for (size_t i = 0; i < count; i++)
        add_host(s, hosts[i]->text, hosts[i]->preference);
    if (count == 0) {
        slice reason = arena_format(
            s->arena, S("Malformed or unexpected name server reply"),
            "Name service error for name=%.*s type=MX: Malformed or unexpected name server reply", S_ARG(domain));
        s->why = outcome_of(OUTCOME_BOUNCED, (struct dsn_code){5, 4, 4}, reason);
    } else if (s->count == 0) {
        event_warning("no MX host for %.*s has a valid address record", S_ARG(domain));
        if (s->settings->defer_if_no_mx_address_found) {
            s->why.kind = OUTCOME_DEFERRED;
            s->why.dsn.class = 4;
        }
    }
}

/* The servers of DOMAIN; its own address when it has no MX. */
static void add_domain(struct search *s, slice domain)
{
    struct dns_answer a;
    struct err err;
    enum dns_got got = ask(s, domain, DNS_MX, &a, &err);

    if (got == DNS_NO_DATA || got == DNS_NO_NAME) {
        add_host(s, domain, 0);
    } else if (got != DNS_FOUND) {
        s->why = outcome_of_dns(got, &a, s->arena, &err);
    } else if (has_null_mx(&a)) {
        slice reason = arena_format(s->arena, S("domain does not accept mail (nullMX)"),
                                    "Domain %.*s does not accept mail (nullMX)", S_ARG(domain));

        s->why = outcome_of(OUTCOME_BOUNCED, (struct dsn_code){5, 1, 0}, reason);
    } else {
        add_mx_hosts(s, domain, &a);
    }
}

static int compare(unsigned a, unsigned b)
{
    return a < b ? -1 : a > b;
}

static int by_rank(const void *a, const void *b)
{
    const struct target *x = *(struct target *const *)a, *y = *(struct target *const *)b;
    int order = compare(x->preference, y->preference);

    if (order == 0)
        order = compare(x->family_rank, y->family_rank);
    return order != 0 ? order : compare(x->place, y->place);
}

/* Gives each target its place among equals: random, or as they came. */
static void give_places(struct target **all, size_t n, bool at_random)
{
    for (size_t i = n; at_random && i > 1; i--) {
        uint32_t random = 0;
        struct target *swap = all[i - 1];

        if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
            random = (uint32_t)clock_wall_us();
        all[i - 1] = all[random % i];
        all[random % i] = swap;
    }
    for (size_t i = 0; i < n; i++)
        all[i]->place = (unsigned)i;
}

/* Best preference first; of equal ones those of the preferred address family (smtp_address_preference) first. */
static bool sort_targets(struct search *s)
{
    struct target **all = arena_alloc_array(s->arena, s->count, sizeof *all);
    slice preferred = slice_text(s->settings->address_preference);
    size_t n = s->count;

    if (all == NULL)
        return false;
    for (struct target *t = s->found; t != NULL; t = t->next) { /* found is newest first */
        int family = t->address.u.any.sa_family;

        all[--n] = t;
        t->family_rank = (family == AF_INET && slice_eq_case(preferred, S("ipv6"))) ||
                         (family == AF_INET6 && slice_eq_case(preferred, S("ipv4")));
    }
    give_places(all, s->count, s->settings->randomize_addresses);
    qsort(all, s->count, sizeof(struct target *), by_rank);
    for (size_t i = 0; i < s->count; i++)
        all[i]->next = i + 1 < s->count ? all[i + 1] : NULL;
    s->found = all[0];
    return true;
}

/* Mail for a domain whose best server is this machine would come straight back: only better ones than us count.  As
 * everywhere in the field, this is looked at for port 25 alone. */
static bool drop_own(struct search *s, slice domain, bool *is_mine)
{
    unsigned own_preference = 0;
    bool found = false;

    if (s->port != 25)
        return true;
    for (struct target *t = s->found; t != NULL; t = t->next)
        if (is_own(&t->address) || slice_eq_case(t->host, slice_text(s->settings->params->myhostname))) {
            if (!found || t->preference < own_preference)
                own_preference = t->preference;
            found = true;
        }
    *is_mine = found;
    if (!found)
        return true;
    if (s->found->preference >= own_preference) {
        slice reason = S("mail loops back to myself");

        reason = arena_format(s->arena, reason, "mail for %.*s loops back to myself", S_ARG(domain));
        s->why = outcome_of(OUTCOME_BOUNCED, (struct dsn_code){5, 4, 6}, reason);
        return false;
    }
    for (struct target *t = s->found; t != NULL; t = t->next)
        if (t->next != NULL && t->next->preference >= own_preference)
            t->next = NULL;
    return true;
}

static bool unix_target(const struct destination *d, const struct settings *settings, struct arena *arena,
                        struct target **out)
{
    struct target *t = ARENA_NEW(arena, struct target);

    if (t == NULL || !arena_copy(arena, d->path, &t->path))
        return false;
    t->host = slice_text(settings->params->myhostname);
    *out = t;
    return true;
}

static void cut_at_limit(struct target *first, int limit)
{
    for (int n = 1; limit > 0 && first != NULL; n++, first = first->next)
        if (n == limit)
            first->next = NULL;
}

bool destination_targets(const struct destination *d, const struct settings *settings, struct dns *dns,
                         struct arena *arena, deadline by, struct target **out, struct outcome *why, bool *is_mine)
{
    struct search s = {.settings = settings, .dns = dns, .arena = arena, .by = by, .port = d->port};
    bool by_mx = !d->no_mx && settings->uses_mx && !endpoint_parse(d->host, &(struct endpoint){0});

    *is_mine = false;
    *why = outcome_of(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 0}, S("no memory for a delivery"));
    if (d->path.n > 0)
        return unix_target(d, settings, arena, out);
    s.why = outcome_of(OUTCOME_DEFERRED, (struct dsn_code){4, 4, 3}, S("no address found"));
    if (!by_mx)
        add_host(&s, d->host, 0);
    else
        add_domain(&s, d->host);
    if (s.count == 0 || !sort_targets(&s) || (!d->no_mx && !drop_own(&s, d->host, is_mine))) {
        *why = s.why;
        return false;
    }
    cut_at_limit(s.found, settings->mx_address_limit);
    *out = s.found;
    return true;
}
