#include "mail/policy/domain.h"

#include "mail/policy/policy_inner.h"
#include "mail/syntax/address.h"

static enum dns_got no_answer(const struct err *err, struct dns_answer *out)
{
    *out = (struct dns_answer){0};
    (void)snprintf(out->reason, sizeof out->reason, "%.200s", err->text);
    return DNS_TRY_AGAIN;
}

/* ---- smtpd_dns_reply_filter ---- */
enum filtered { FILTER_KEEPS, FILTER_IGNORES, FILTER_BROKEN };

static enum filtered judge(struct walk *w, const struct dns_record *r)
{
    AUTO_BUF struct buf text = BUF_INIT(4096), action = BUF_INIT(4096);
    struct err err;

    dns_record_print(r, &text);
    switch (tables_get(w->policy->dns_filter, buf_slice(&text), w->question->by, &action, &err)) {
    case TABLE_NOT_FOUND:
        return FILTER_KEEPS;
    case TABLE_FAILED:
        walk_warn(w, "%s lookup error for \"%s\"", tables_failed(w->policy->dns_filter), buf_text(&text));
        return FILTER_BROKEN;
    case TABLE_FOUND:
        break;
    }
    if (!slice_eq_case(buf_slice(&action), S("ignore"))) {
        walk_warn(w, "smtpd_dns_reply_filter: unknown DNS filter action: \"%s\"", buf_text(&action));
        return FILTER_BROKEN;
    }
    walk_note(w, "", S(""), "ignoring DNS RR: %s", buf_text(&text));
    return FILTER_IGNORES;
}

static enum dns_got unusable(struct dns_answer *a, slice name, enum dns_type type, const char *why)
{
    a->kept = false;
    (void)snprintf(a->reason, sizeof a->reason, "Error looking up name=%.*s type=%s: %s", S_ARG(name), dns_type_name(type),
                   why);
    return DNS_TRY_AGAIN;
}

static enum dns_got filter(struct walk *w, slice name, enum dns_type type, struct dns_answer *a)
{
    if (tables_empty(w->policy->dns_filter))
        return DNS_FOUND;
    for (struct dns_record **at = &a->records; *at != NULL;) {
        enum filtered f = judge(w, *at);

        if (f == FILTER_BROKEN)
            return unusable(a, name, type, "Invalid DNS reply filter syntax");
        if (f == FILTER_IGNORES)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
    w->dns_filtered = a->records == NULL;
    return w->dns_filtered ? unusable(a, name, type, "DNS reply filter drops all results") : DNS_FOUND;
}

/* Nobody can say that a name is wrong whose answer was thrown away. */
static enum domain_fact taken_for_good(struct walk *w, slice name, const char *what)
{
    walk_warn(w, "%.*s: %s lookup error: DNS reply filter drops all results", S_ARG(name), what);
    return DOMAIN_EXISTS;
}

/* ---- questions ---- */
enum dns_got domain_ask(struct walk *w, slice name, enum dns_type type, struct dns_answer *out)
{
    struct err err;
    enum dns_got got = dns_cache_lookup(w->policy->names, name, type, w->question->arena, w->question->by, out, &err);

    w->dns_filtered = false;
    if (got == DNS_FOUND)
        return filter(w, name, type, out);
    return got == DNS_FAILED ? no_answer(&err, out) : got;
}

enum dns_got domain_addresses(struct walk *w, slice name, struct dns_answer *out)
{
    const struct policy *p = w->policy;
    int family = p->asks_ipv4 && p->asks_ipv6 ? AF_UNSPEC : p->asks_ipv6 ? AF_INET6 : AF_INET;
    struct err err;
    enum dns_got got = host_lookup(name, family, w->question->arena, w->question->by, out, &err);

    return got == DNS_FAILED ? no_answer(&err, out) : got;
}

static enum domain_fact fact_of(enum dns_got got)
{
    return got == DNS_FOUND ? DOMAIN_EXISTS : got == DNS_TRY_AGAIN ? DOMAIN_UNCERTAIN : DOMAIN_MISSING;
}

static enum domain_fact has_address(struct walk *w, slice name)
{
    struct dns_answer answer;
    enum domain_fact fact = DOMAIN_MISSING, fact6;

    if (w->policy->asks_ipv4)
        fact = fact_of(domain_ask(w, name, DNS_A, &answer));
    if (fact == DOMAIN_EXISTS || w->dns_filtered || !w->policy->asks_ipv6)
        return fact;
    fact6 = fact_of(domain_ask(w, name, DNS_AAAA, &answer));
    return fact6 == DOMAIN_MISSING ? fact : fact6;
}

bool domain_is_null_mx(const struct dns_record *r)
{
    for (; r != NULL; r = r->next)
        if (r->text.n == 0)
            return true;
    return false;
}

static enum domain_fact takes_mail(struct walk *w, slice domain)
{
    struct dns_answer answer;

    switch (domain_ask(w, domain, DNS_MX, &answer)) {
    case DNS_FOUND:
        return domain_is_null_mx(answer.records) ? DOMAIN_REFUSES_MAIL : DOMAIN_EXISTS;
    case DNS_NO_DATA:
        return has_address(w, domain);
    case DNS_TRY_AGAIN:
        return DOMAIN_UNCERTAIN;
    default:
        return DOMAIN_MISSING;
    }
}

enum domain_fact domain_takes_mail(struct walk *w, slice domain)
{
    enum domain_fact fact = takes_mail(w, domain);

    return w->dns_filtered ? taken_for_good(w, domain, "MX or address") : fact;
}

static enum domain_fact is_host(struct walk *w, slice name)
{
    struct dns_answer answer;
    enum domain_fact fact, by_mx;

    if (!hostname_valid(name))
        return DOMAIN_MISSING;
    fact = has_address(w, name);
    if (fact == DOMAIN_EXISTS || w->dns_filtered)
        return fact;
    by_mx = fact_of(domain_ask(w, name, DNS_MX, &answer));
    return by_mx == DOMAIN_MISSING ? fact : by_mx;
}

enum domain_fact domain_is_host(struct walk *w, slice name)
{
    enum domain_fact fact;

    w->dns_filtered = false;
    fact = is_host(w, name);
    return w->dns_filtered ? taken_for_good(w, name, "address or MX") : fact;
}
