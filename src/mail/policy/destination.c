#include "mail/policy/destination.h"

#include "mail/policy/domain.h"
#include "mail/policy/policy_inner.h"
#include "mail/syntax/address.h"

#define DSN(subject, detail) ((struct dsn_code){0, (subject), (detail)})

bool destination_is_ours(struct walk *w, bool *is_ours, enum walk_result *result)
{
    const int64_t ours = RESOLVE_LOCAL | RESOLVE_VIRTUAL_ALIAS | RESOLVE_VIRTUAL_MAILBOX | RESOLVE_RELAY;
    const struct resolved *to;

    *is_ours = false;
    if (w->question->recipient.p == NULL)
        return true;
    if (!walk_resolve_recipient(w, &to, result))
        return false;
    *is_ours = (to->flags & ours) != 0 && (w->params->allow_untrusted_routing || (to->flags & RESOLVE_ROUTED) == 0);
    return true;
}

enum walk_result permit_auth_destination(struct walk *w, const struct restriction_use *use)
{
    enum walk_result result;
    bool is_ours;

    (void)use;
    if (!destination_is_ours(w, &is_ours, &result))
        return result;
    return is_ours ? WALK_PERMIT : WALK_ON;
}

static enum walk_result refuse_foreign(struct walk *w, int code)
{
    enum walk_result result;
    bool is_ours;

    if (w->question->recipient.p == NULL)
        return WALK_ON;
    if (!destination_is_ours(w, &is_ours, &result))
        return result;
    return is_ours ? WALK_ON
                   : walk_refuse(w, code, DSN(7, 1), "<%.*s>: Relay access denied", S_ARG(w->question->recipient));
}

enum walk_result reject_unauth_destination(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return refuse_foreign(w, w->params->relay_domains_reject_code);
}

enum walk_result defer_unauth_destination(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return refuse_foreign(w, 454);
}

/* ---- being a backup ---- */
/* Would mail for that domain or "[address]" stay here? */
static bool is_here(struct walk *w, slice domain)
{
    struct policy_question *q = w->question;
    slice address = arena_format(q->arena, S(""), "postmaster@%.*s", S_ARG(domain));
    struct resolved to;
    struct err err;

    return address.n > 0 && address_resolve(q->resolver, S(""), address, q->arena, q->by, &to, &err) &&
           (to.flags & RESOLVE_LOCAL) != 0;
}

static bool is_our_host(struct walk *w, slice name)
{
    struct dns_answer found;

    if (is_here(w, name))
        return true;
    if (domain_addresses(w, name, &found) != DNS_FOUND)
        return false;
    for (const struct dns_record *r = found.records; r != NULL; r = r->next) {
        char text[ENDPOINT_TEXT], literal[ENDPOINT_TEXT + 8];

        endpoint_print(&r->address, text);
        (void)snprintf(literal, sizeof literal, r->address.u.any.sa_family == AF_INET6 ? "[IPv6:%s]" : "[%s]", text);
        if (is_here(w, slice_text(literal)))
            return true;
    }
    return false;
}

static unsigned best_preference(const struct dns_record *r)
{
    unsigned best = r->preference;

    for (; r != NULL; r = r->next)
        if (r->preference < best)
            best = r->preference;
    return best;
}

static bool we_are_backup(struct walk *w, const struct dns_record *records, unsigned best)
{
    bool found = false;

    for (const struct dns_record *r = records; r != NULL; r = r->next) {
        if (!is_our_host(w, r->text))
            continue;
        if (r->preference == best)
            return false;
        found = true;
    }
    return found;
}

static enum walk_result uncertain(struct walk *w, const char *what, slice host, slice why)
{
    slice text = arena_format(w->question->arena, S("Service unavailable"), "Unable to look up mail exchanger %s%.*s: %.*s",
                              what, S_ARG(host), S_ARG(why));

    walk_defer_if(w, &w->if_reject, 450, DSN(4, 4), walk_recipient(w), text);
    return WALK_ON;
}

/* Are all addresses of the best servers in permit_mx_backup_networks? */
static enum walk_result permit_by_network(struct walk *w, const struct dns_record *records, unsigned best)
{
    for (const struct dns_record *r = records; r != NULL; r = r->next) {
        struct dns_answer found;

        if (r->preference != best)
            continue;
        if (domain_addresses(w, r->text, &found) != DNS_FOUND)
            return uncertain(w, "host ", r->text, dns_why(&found));
        for (const struct dns_record *a = found.records; a != NULL; a = a->next) {
            char text[ENDPOINT_TEXT];
            struct err err;

            endpoint_print(&a->address, text);
            if (match_list_has(w->policy->mx_backup_networks, r->text, slice_text(text), w->question->by, &err) !=
                TABLE_FOUND)
                return WALK_ON;
        }
    }
    return WALK_PERMIT;
}

enum walk_result permit_mx_backup(struct walk *w, const struct restriction_use *use)
{
    enum walk_result result = permit_auth_destination(w, use);
    const struct resolved *to;
    struct dns_answer mx;
    slice local, domain;
    unsigned best;

    if (result != WALK_ON || w->question->recipient.p == NULL || !walk_resolve_recipient(w, &to, &result))
        return result;
    address_split(to->recipient, &local, &domain);
    if (domain.n == 0 || domain.p[0] == '[' || (to->flags & RESOLVE_ROUTED) != 0)
        return WALK_ON;
    switch (domain_ask(w, domain, DNS_MX, &mx)) {
    case DNS_TRY_AGAIN:
        return uncertain(w, "information", S(""), dns_why(&mx));
    case DNS_FOUND:
        break;
    default:
        return WALK_ON;
    }
    best = best_preference(mx.records);
    if (domain_is_null_mx(mx.records) || !we_are_backup(w, mx.records, best))
        return WALK_ON;
    return w->params->permit_mx_backup_networks[0] == '\0' ? WALK_PERMIT : permit_by_network(w, mx.records, best);
}
