#include "mail/policy/names.h"

#include "core/net/endpoint.h"
#include "mail/policy/domain.h"
#include "mail/syntax/address.h"

#define DSN(subject, detail) ((struct dsn_code){0, (subject), (detail)})

/* ---- the client ---- */
static bool is_unknown(slice name)
{
    return slice_eq_case(name, S("unknown"));
}

/* A name that may turn up later is never a reason to refuse for good. */
static int client_code(const struct walk *w, bool uncertain)
{
    int code = w->params->unknown_client_reject_code;

    return uncertain && code >= 500 ? 450 : code;
}

enum walk_result reject_unknown_client_hostname(struct walk *w, const struct restriction_use *use)
{
    const struct policy_question *q = w->question;

    (void)use;
    if (!is_unknown(q->client_name))
        return WALK_ON;
    return walk_refuse(w, client_code(w, q->client_name_uncertain), DSN(7, 25),
                       "Client host rejected: cannot find your hostname, [%.*s]", S_ARG(q->client_address));
}

enum walk_result reject_unknown_reverse_client_hostname(struct walk *w, const struct restriction_use *use)
{
    const struct policy_question *q = w->question;

    (void)use;
    if (!is_unknown(q->reverse_name))
        return WALK_ON;
    return walk_refuse(w, client_code(w, q->reverse_name_uncertain), DSN(7, 1),
                       "Client host rejected: cannot find your reverse hostname, [%.*s]", S_ARG(q->client_address));
}

/* ---- the greeting ---- */
static slice without_final_dot(slice name)
{
    return name.n > 0 && name.p[name.n - 1] == '.' ? slice_head(name, name.n - 1) : name;
}

static bool is_qualified(slice name)
{
    name = without_final_dot(name);
    return hostname_valid(name) && slice_find(name, '.') != SLICE_NONE;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" */
static bool is_good_literal(slice name)
{
    struct endpoint e;

    return domain_is_literal(name) && endpoint_parse(name, &e) &&
           (e.u.any.sa_family == AF_INET || slice_starts_case(slice_skip(name, 1), S("IPv6:")));
}

static enum walk_result refuse_helo(struct walk *w, int code, struct dsn_code dsn, const char *why)
{
    return walk_refuse(w, code, dsn, "<%.*s>: Helo command rejected: %s", S_ARG(w->question->helo), why);
}

/* What is in brackets is judged as an address, by all restrictions alike.  True: *RESULT says how. */
static bool judge_literal(struct walk *w, enum walk_result *result)
{
    slice helo = w->question->helo;

    *result = WALK_ON;
    if (helo.n == 0)
        return true;
    if (helo.p[0] != '[')
        return false;
    if (!is_good_literal(helo))
        *result = refuse_helo(w, w->params->invalid_hostname_reject_code, DSN(5, 2), "invalid ip address");
    return true;
}

enum walk_result reject_invalid_helo_hostname(struct walk *w, const struct restriction_use *use)
{
    slice name = without_final_dot(w->question->helo);
    enum walk_result result;
    struct endpoint e;

    (void)use;
    if (judge_literal(w, &result))
        return result;
    if (hostname_valid(name) || (endpoint_parse(name, &e) && e.u.any.sa_family == AF_INET))
        return WALK_ON;
    return refuse_helo(w, w->params->invalid_hostname_reject_code, DSN(5, 2), "Invalid name");
}

enum walk_result reject_non_fqdn_helo_hostname(struct walk *w, const struct restriction_use *use)
{
    enum walk_result result;

    (void)use;
    if (judge_literal(w, &result))
        return result;
    if (is_qualified(w->question->helo))
        return WALK_ON;
    return refuse_helo(w, w->params->non_fqdn_reject_code, DSN(5, 2), "need fully-qualified hostname");
}

enum walk_result reject_unknown_helo_hostname(struct walk *w, const struct restriction_use *use)
{
    enum walk_result result;

    (void)use;
    if (judge_literal(w, &result))
        return result;
    switch (domain_is_host(w, w->question->helo)) {
    case DOMAIN_MISSING:
        return refuse_helo(w, w->params->unknown_hostname_reject_code, DSN(7, 1), "Host not found");
    case DOMAIN_UNCERTAIN:
        return walk_uncertain(w, w->params->unknown_helo_hostname_tempfail_action, 450, DSN(7, 1),
                              "<%.*s>: Helo command rejected: Host not found", S_ARG(w->question->helo));
    default:
        return WALK_ON;
    }
}

/* ---- sender and recipient ---- */
static enum walk_result reject_non_fqdn(struct walk *w, struct walk_subject subject)
{
    slice local, domain;

    if (subject.about.n == 0)
        return WALK_ON;
    address_split(subject.about, &local, &domain);
    if (is_qualified(domain) || (domain.n > 0 && domain.p[0] == '['))
        return WALK_ON;
    return walk_reject(w, w->params->non_fqdn_reject_code, DSN(5, 2), subject, S("need fully-qualified address"));
}

enum walk_result reject_non_fqdn_sender(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return reject_non_fqdn(w, walk_sender(w));
}

enum walk_result reject_non_fqdn_recipient(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return reject_non_fqdn(w, walk_recipient(w));
}

/* How a domain is refused that is not there, and one that wants no mail (RFC 7505). */
struct domain_refusal {
    struct dsn_code dsn;
    int null_code;
    struct dsn_code null_dsn;
};

static enum walk_result reject_unknown_domain(struct walk *w, struct walk_subject subject, const struct resolved *to,
                                              const struct domain_refusal *how)
{
    const int64_t final = RESOLVE_LOCAL | RESOLVE_VIRTUAL_ALIAS | RESOLVE_VIRTUAL_MAILBOX;
    slice local, domain;

    address_split(to->recipient, &local, &domain);
    if ((to->flags & final) != 0 || domain.n == 0 || domain.p[0] == '[')
        return WALK_ON;
    switch (domain_takes_mail(w, domain)) {
    case DOMAIN_MISSING:
        return walk_reject(w, w->params->unknown_address_reject_code, how->dsn, subject, S("Domain not found"));
    case DOMAIN_REFUSES_MAIL:
        return walk_refuse(w, how->null_code, how->null_dsn,
                           "<%.*s>: %s rejected: Domain %.*s does not accept mail (nullMX)", S_ARG(subject.about),
                           subject.what, S_ARG(domain));
    case DOMAIN_UNCERTAIN:
        return walk_uncertain(w, w->params->unknown_address_tempfail_action, 450, how->dsn,
                              "<%.*s>: %s rejected: Domain not found", S_ARG(subject.about), subject.what);
    default:
        return WALK_ON;
    }
}

enum walk_result reject_unknown_sender_domain(struct walk *w, const struct restriction_use *use)
{
    static const struct domain_refusal how = {{0, 1, 8}, 550, {0, 7, 27}};
    const struct resolved *to;
    enum walk_result result;

    (void)use;
    if (w->question->sender.n == 0)
        return WALK_ON;
    return walk_resolve_sender(w, &to, &result) ? reject_unknown_domain(w, walk_sender(w), to, &how) : result;
}

enum walk_result reject_unknown_recipient_domain(struct walk *w, const struct restriction_use *use)
{
    static const struct domain_refusal how = {{0, 1, 2}, 556, {0, 1, 10}};
    const struct resolved *to;
    enum walk_result result;

    (void)use;
    if (w->question->recipient.p == NULL)
        return WALK_ON;
    return walk_resolve_recipient(w, &to, &result) ? reject_unknown_domain(w, walk_recipient(w), to, &how) : result;
}
