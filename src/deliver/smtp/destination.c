#include "deliver/smtp/destination.h"

#include <netdb.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/base/cut.h"

static struct interface_address *own;
static size_t own_count;

bool own_addresses_load(const struct params *params, struct err *err)
{
    slice proxies = slice_text(params->proxy_interfaces), word;

    if (!interfaces_get(&own, &own_count, err))
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

static bool parse_port(slice text, uint16_t *port)
{
    slice rest = text;
    unsigned number;
    char name[64];
    struct servent *service;

    if (cut_uint(&rest, 1, 5, &number) && rest.n == 0) {
        *port = (uint16_t)number;
        return number > 0 && number < 65536;
    }
    if (text.n == 0 || text.n >= sizeof name)
        return false;
    memcpy(name, text.p, text.n);
    name[text.n] = '\0';
    service = getservbyname(name, "tcp");
    if (service == NULL)
        return false;
    *port = (uint16_t)ntohs((uint16_t)service->s_port);
    return true;
}

bool destination_parse(slice text, uint16_t default_port, struct destination *out)
{
    struct destination d = {.text = text, .port = default_port};
    slice rest = text;

    if (cut_char(&rest, '[')) {
        d.no_mx = true;
        if (!cut_until(&rest, ']', &d.host))
            return false;
        (void)cut_prefix_case(&d.host, S("ipv6:"));
    } else if (!cut_until(&rest, ':', &d.host)) {
        d.host = rest;
        rest = S("");
    } else if (!parse_port(rest, &d.port)) {
        return false;
    } else {
        rest = S("");
    }
    if (rest.n > 0 && (!cut_char(&rest, ':') || !parse_port(rest, &d.port)))
        return false;
    if (d.host.n == 0 || slice_find_any(d.host, " \t[]") != SLICE_NONE)
        return false;
    *out = d;
    return true;
}

static struct outcome outcome_of(enum outcome_kind kind, struct dsn_code dsn, slice reason)
{
    return (struct outcome){.kind = kind, .dsn = dsn, .reason = reason, .relay = S("none")};
}

/* What a failed look-up means for the mail. */
static struct outcome outcome_of_dns(enum dns_got got, const struct dns_answer *a, struct arena *arena, const struct err *err)
{
    slice reason = S("Host or domain name not found");

    if (got == DNS_FAILED)
        return outcome_from_err(err);
    reason = arena_keep(arena, slice_text(a->reason), reason);
    if (got == DNS_TRY_AGAIN)
        return outcome_of(OUTCOME_DEFERRED, (struct dsn_code){4, 4, 3}, reason);
    return outcome_of(OUTCOME_BOUNCED, (struct dsn_code){5, 4, 4}, reason);
}

struct search {
    struct params *params;
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

static bool wants(const struct search *s, enum dns_type type)
{
    slice protocols = slice_text(s->params->inet_protocols), word;
    slice wanted = type == DNS_A ? S("ipv4") : S("ipv6");

    while (cut_word(&protocols, ", \t\r\n", &word))
        if (slice_eq_case(word, S("all")) || slice_eq_case(word, wanted))
            return true;
    return false;
}

/* All addresses of one host. */
static void add_host(struct search *s, slice host, unsigned preference)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    struct endpoint literal;
    bool any = false;

    if (endpoint_parse(host, &literal)) {
        add_target(s, host, &literal, preference);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct dns_answer a;
        struct err err;
        enum dns_got got;

        if (!wants(s, types[i]))
            continue;
        got = dns_lookup(s->dns, host, types[i], s->arena, s->by, &a, &err);
        if (got == DNS_FOUND) {
            for (const struct dns_record *r = a.records; r != NULL; r = r->next)
                add_target(s, host, &r->address, preference);
            any = any || a.records != NULL;
        } else if (got == DNS_TRY_AGAIN || got == DNS_FAILED) {
            s->why = outcome_of_dns(got, &a, s->arena, &err);
            s->soft = true;
        } else if (!any && !s->soft) {
            s->why = outcome_of_dns(got, &a, s->arena, &err);
        }
    }
}

static bool is_null_mx(const struct dns_answer *a)
{
    return a->records != NULL && a->records->next == NULL && a->records->text.n == 0;
}

/* False: s->why is final. */
static bool add_mx(struct search *s, slice domain)
{
    struct dns_answer a;
    struct err err;
    enum dns_got got = dns_lookup(s->dns, domain, DNS_MX, s->arena, s->by, &a, &err);

    if (got == DNS_NO_DATA) {
        add_host(s, domain, 0);
        return true;
    }
    if (got != DNS_FOUND) {
        s->why = outcome_of_dns(got, &a, s->arena, &err);
        return false;
    }
    if (is_null_mx(&a)) {
        slice reason = S("domain does not accept mail (nullMX)");

        reason = arena_format(s->arena, reason, "Domain %.*s does not accept mail (nullMX)", S_ARG(domain));
        s->why = outcome_of(OUTCOME_BOUNCED, (struct dsn_code){5, 1, 0}, reason);
        return false;
    }
    for (const struct dns_record *r = a.records; r != NULL; r = r->next)
        if (r->text.n > 0)
            add_host(s, r->text, r->preference);
    return true;
}

static int by_preference(const void *a, const void *b)
{
    const struct target *x = *(struct target *const *)a, *y = *(struct target *const *)b;

    return x->preference < y->preference ? -1 : x->preference > y->preference;
}

/* Random among equals, best preference first. */
static bool sort_targets(struct search *s)
{
    struct target **all = arena_alloc_array(s->arena, s->count, sizeof *all);
    size_t n = 0;

    if (all == NULL)
        return false;
    for (struct target *t = s->found; t != NULL; t = t->next)
        all[n++] = t;
    for (size_t i = 0; i < n / 2; i++) { /* found is newest first */
        struct target *swap = all[i];

        all[i] = all[n - 1 - i];
        all[n - 1 - i] = swap;
    }
    for (size_t i = n; s->params->smtp_randomize_addresses && i > 1; i--) {
        uint32_t random = 0;
        struct target *swap = all[i - 1];

        if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
            random = (uint32_t)clock_wall_us();
        all[i - 1] = all[random % i];
        all[random % i] = swap;
    }
    /* An insertion sort keeps equal ones in their (random) order. */
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && by_preference(&all[j - 1], &all[j]) > 0; j--) {
            struct target *swap = all[j];

            all[j] = all[j - 1];
            all[j - 1] = swap;
        }
    for (size_t i = 0; i < n; i++)
        all[i]->next = i + 1 < n ? all[i + 1] : NULL;
    s->found = n > 0 ? all[0] : NULL;
    return true;
}

/* Mail for a domain whose best server is this machine would come straight back: only better ones than us count.  As
 * everywhere in the field, this is looked at for port 25 alone. */
static bool drop_own(struct search *s, slice domain)
{
    unsigned own_preference = 0;
    bool found = false;

    if (s->port != 25)
        return true;
    for (struct target *t = s->found; t != NULL; t = t->next)
        if (is_own(&t->address) || slice_eq_case(t->host, slice_text(s->params->myhostname))) {
            if (!found || t->preference < own_preference)
                own_preference = t->preference;
            found = true;
        }
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

bool destination_targets(const struct destination *d, struct params *params, struct dns *dns, struct arena *arena, deadline by,
                         struct target **out, struct outcome *why)
{
    struct search s = {.params = params, .dns = dns, .arena = arena, .by = by, .port = d->port};
    int limit = params->smtp_mx_address_limit;
    struct target *last;

    s.why = outcome_of(OUTCOME_DEFERRED, (struct dsn_code){4, 4, 3}, S("no address found"));
    if (d->no_mx || endpoint_parse(d->host, &(struct endpoint){0}))
        add_host(&s, d->host, 0);
    else if (!add_mx(&s, d->host)) {
        *why = s.why;
        return false;
    }
    if (s.count == 0 || !sort_targets(&s) || (!d->no_mx && !drop_own(&s, d->host))) {
        *why = s.why;
        return false;
    }
    last = s.found;
    for (int n = 1; limit > 0 && last != NULL; n++, last = last->next)
        if (n == limit)
            last->next = NULL;
    *out = s.found;
    return true;
}
