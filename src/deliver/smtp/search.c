#include "deliver/smtp/search.h"

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/syntax/address.h"

struct outcome search_outcome(enum outcome_kind kind, struct dsn_code dsn, slice reason)
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
        return search_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 4, 3}, reason);
    return search_outcome(OUTCOME_BOUNCED, (struct dsn_code){5, 4, got == DNS_NO_WAY ? 3 : 4}, reason);
}

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

static bool wants(const struct search *s, enum dns_type type)
{
    slice protocols = slice_text(s->settings->params->inet_protocols);

    return is_listed(protocols, S("all")) || is_listed(protocols, type == DNS_A ? S("ipv4") : S("ipv6"));
}

/* One question, and what its answer means for the mail when it has no records. */
struct question {
    enum dns_got got;
    struct dns_answer answer;
    bool soft; /* another time there may be an answer */
    struct outcome why;
};

static enum dns_got look_up(const struct search *s, slice name, enum dns_type type, struct dns_answer *a,
                            struct err *err)
{
    slice options = slice_text(s->settings->dns_resolver_options);
    unsigned lists = (is_listed(options, S("res_defnames")) ? DNS_LIST_SHORT : 0) |
                     (is_listed(options, S("res_dnsrch")) ? DNS_LIST_LONG : 0);

    return dns_lookup_by_list(s->dns, name, lists, type, s->arena, s->by, a, err);
}

/* Asks, and tells in the log what is odd about the answer.  True: there are records. */
static bool ask(const struct search *s, slice name, enum dns_type type, struct question *q)
{
    struct err err;

    q->got = look_up(s, name, type, &q->answer, &err);
    if (q->got == DNS_FOUND && q->answer.cut)
        event_warning("DNS record count limit (%d) exceeded -- dropping excess record(s) after qname=%.*s qtype=%s",
                      DNS_RECORDS_MOST, S_ARG(name), dns_type_name(type));
    else if (q->got == DNS_NO_NAME && q->answer.looped)
        event_warning("dns_lookup: %s", q->answer.reason);
    if (q->got == DNS_FOUND) {
        q->soft = !dns_filter(s, name, type, &q->answer, &q->why);
        q->got = q->soft ? DNS_TRY_AGAIN : DNS_FOUND;
    } else {
        q->soft = q->got == DNS_TRY_AGAIN || q->got == DNS_FAILED;
        q->why = outcome_of_dns(q->got, &q->answer, s->arena, &err);
    }
    return q->got == DNS_FOUND;
}

/* What records of a host are called in the log. */
static slice name_of(const struct search *s, slice host, const struct dns_answer *a)
{
    return s->settings->cname_overrides_servername && a->canonical.n > 0 ? a->canonical : host;
}

static void add_records(struct search *s, slice host, const struct dns_answer *a, unsigned preference)
{
    for (const struct dns_record *r = a->records; r != NULL; r = r->next)
        add_target(s, name_of(s, host, a), &r->address, preference);
}

/* What the name server said of HOST when it has no address. */
struct no_address {
    bool found, soft;
    struct outcome why;
};

static void note_failure(struct no_address *n, bool soft, const struct outcome *why)
{
    if (n->soft && !soft)
        return;
    n->soft = soft;
    n->why = *why;
}

static void look_up_in_dns(struct search *s, slice host, unsigned preference, struct no_address *n)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct question q;

        if (!wants(s, types[i]))
            continue;
        if (ask(s, host, types[i], &q)) {
            add_records(s, host, &q.answer, preference);
            n->found = true;
        } else {
            note_failure(n, q.soft, &q.why);
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
        n->why = outcome_of_dns(got, &a, s->arena, &err); /* this is the last word */
        n->soft = got == DNS_TRY_AGAIN || got == DNS_FAILED;
        if (got == DNS_NO_DATA)
            n->why.dsn = (struct dsn_code){5, 3, 0};
    }
}

void search_host(struct search *s, slice host, unsigned preference)
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

static void add_mx_hosts(struct search *s, slice domain, const struct dns_record **hosts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        search_host(s, hosts[i]->text, hosts[i]->preference);
    if (s->count > 0)
        return;
    event_warning("no MX host for %.*s has a valid address record", S_ARG(domain));
    if (s->settings->defer_if_no_mx_address_found) {
        s->why.kind = OUTCOME_DEFERRED;
        s->why.dsn.class = 4;
    }
}

/* Nothing can be made of the domain's MX records. */
static void without_mx(struct search *s, slice domain, const struct outcome *why)
{
    if (s->settings->params->ignore_mx_lookup_error)
        search_host(s, domain, 0);
    else
        s->why = *why;
}

static void by_records(struct search *s, slice domain, const struct dns_answer *a)
{
    size_t count = 0;
    const struct dns_record **hosts;

    if (has_null_mx(a)) {
        s->why = search_outcome(OUTCOME_BOUNCED, (struct dsn_code){5, 1, 0},
                                arena_format(s->arena, S("domain does not accept mail (nullMX)"),
                                             "Domain %.*s does not accept mail (nullMX)", S_ARG(domain)));
        return;
    }
    hosts = usable_records(domain, a, s->arena, &count);
    if (count == 0) {
        struct outcome why = search_outcome(
            OUTCOME_BOUNCED, (struct dsn_code){5, 4, 4},
            arena_format(s->arena, S("Malformed or unexpected name server reply"),
                         "Name service error for name=%.*s type=MX: Malformed or unexpected name server reply",
                         S_ARG(domain)));

        without_mx(s, domain, &why);
        return;
    }
    add_mx_hosts(s, domain, hosts, count);
}

void search_domain(struct search *s, slice domain)
{
    struct question q;

    if (ask(s, domain, DNS_MX, &q))
        by_records(s, domain, &q.answer);
    else if (q.got == DNS_NO_DATA || q.got == DNS_NO_NAME)
        search_host(s, domain, 0);
    else
        without_mx(s, domain, &q.why);
}
