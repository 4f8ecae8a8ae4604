#include "mail/policy/domain.h"

#include "mail/policy/policy_inner.h"
#include "mail/syntax/address.h"

static enum dns_got no_answer(const struct err *err, struct dns_answer *out)
{
    *out = (struct dns_answer){0};
    (void)snprintf(out->reason, sizeof out->reason, "%.200s", err->text);
    return DNS_TRY_AGAIN;
}

enum dns_got domain_ask(struct walk *w, slice name, enum dns_type type, struct dns_answer *out)
{
    struct err err;
    enum dns_got got = dns_cache_lookup(w->policy->names, name, type, w->question->arena, w->question->by, out, &err);

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
    if (fact == DOMAIN_EXISTS || !w->policy->asks_ipv6)
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

enum domain_fact domain_takes_mail(struct walk *w, slice domain)
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

enum domain_fact domain_is_host(struct walk *w, slice name)
{
    struct dns_answer answer;
    enum domain_fact fact, by_mx;

    if (!hostname_valid(name))
        return DOMAIN_MISSING;
    fact = has_address(w, name);
    if (fact == DOMAIN_EXISTS)
        return fact;
    by_mx = fact_of(domain_ask(w, name, DNS_MX, &answer));
    return by_mx == DOMAIN_MISSING ? fact : by_mx;
}
