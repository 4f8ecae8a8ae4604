#include "mail/policy/servers.h"

#include "mail/policy/access.h"
#include "mail/policy/domain.h"
#include "mail/syntax/address.h"

/* One name whose hosts are looked at. */
struct target {
    const struct restriction_use *use;
    struct walk_subject subject;
    slice name;
};

/* An exception must not become a permission. */
static enum walk_result without_permit(struct walk *w, const struct target *t, enum walk_result result)
{
    if (result != WALK_PERMIT)
        return result;
    walk_warn(w, "restriction %s returns OK for %.*s", t->use->what->name, S_ARG(t->subject.about));
    walk_warn(w, "this is not allowed for security reasons");
    return walk_misconfigured(w, "use DUNNO instead of OK if you want to make an exception");
}

static enum walk_result check_address(struct walk *w, const struct target *t, const struct endpoint *address,
                                      bool *found)
{
    char text[ENDPOINT_TEXT];

    endpoint_print(address, text);
    return access_address(w, t->use->access, arena_keep(w->question->arena, slice_text(text), S("unknown")), t->subject,
                          found);
}

static enum walk_result check_addresses(struct walk *w, const struct target *t, slice host, bool *found)
{
    enum walk_result result = WALK_ON;
    struct dns_answer addresses;

    if (domain_addresses(w, host, &addresses) != DNS_FOUND) {
        if (t->use->what->servers != DNS_A)
            walk_warn(w, "Unable to look up %s host %.*s for %s %.*s: %.*s", dns_type_name(t->use->what->servers),
                      S_ARG(host), t->subject.what, S_ARG(t->subject.about), S_ARG(dns_why(&addresses)));
        return WALK_ON;
    }
    for (const struct dns_record *r = addresses.records; r != NULL && !*found; r = r->next)
        result = check_address(w, t, &r->address, found);
    return result;
}

static enum walk_result check_host(struct walk *w, const struct target *t, slice host, bool *found)
{
    enum walk_result result = access_domain(w, t->use->access, host, t->subject, found);

    return *found ? result : check_addresses(w, t, host, found);
}

/* The servers of a name that has none are those of the name above it.  False: there are none at all. */
static bool find_servers(struct walk *w, const struct target *t, struct dns_answer *out)
{
    enum dns_type type = t->use->what->servers;
    slice name = t->name;
    enum dns_got got = domain_ask(w, name, type, out);
    size_t dot;

    while (type == DNS_NS && (got == DNS_NO_NAME || got == DNS_NO_DATA) && (dot = slice_find(name, '.')) != SLICE_NONE) {
        name = slice_skip(name, dot + 1);
        got = domain_ask(w, name, type, out);
    }
    if (got == DNS_FOUND)
        return true;
    if (got == DNS_TRY_AGAIN || type == DNS_NS)
        walk_warn(w, "Unable to look up %s host for %.*s: %.*s", dns_type_name(type), S_ARG(t->name),
                  S_ARG(w->dns_filtered ? S("DNS reply filter policy") : dns_why(out)));
    out->records = NULL;
    return got != DNS_TRY_AGAIN && type == DNS_MX;
}

static enum walk_result check_literal(struct walk *w, const struct target *t)
{
    struct endpoint e;
    bool found = false;

    if (t->use->what->servers == DNS_NS || !endpoint_parse(t->name, &e))
        return WALK_ON;
    return check_address(w, t, &e, &found);
}

static enum walk_result check(struct walk *w, const struct target *t)
{
    enum walk_result result = WALK_ON;
    struct dns_answer answer;
    bool found = false;

    if (t->name.n == 0)
        return WALK_ON;
    if (t->name.p[0] == '[')
        return without_permit(w, t, check_literal(w, t));
    if (t->use->what->servers == DNS_A)
        return without_permit(w, t, check_addresses(w, t, t->name, &found));
    if (!find_servers(w, t, &answer))
        return WALK_ON;
    if (answer.records == NULL) /* a host is its own mail exchanger */
        return without_permit(w, t, check_host(w, t, t->name, &found));
    if (t->use->what->servers == DNS_MX && domain_is_null_mx(answer.records))
        return WALK_ON;
    for (const struct dns_record *r = answer.records; r != NULL && !found; r = r->next) {
        if (endpoint_parse(r->text, &(struct endpoint){0}))
            walk_warn(w, "numeric domain name in resource data of %s record for %.*s: %.*s",
                      dns_type_name(t->use->what->servers), S_ARG(t->name), S_ARG(r->text));
        result = check_host(w, t, r->text, &found);
    }
    return without_permit(w, t, result);
}

static enum walk_result check_client_name(struct walk *w, const struct restriction_use *use, slice name,
                                          struct walk_subject subject)
{
    const struct target t = {.use = use, .subject = subject, .name = name};

    return slice_eq_case(name, S("unknown")) ? WALK_ON : check(w, &t);
}

enum walk_result check_client_servers(struct walk *w, const struct restriction_use *use)
{
    return check_client_name(w, use, w->question->client_name, walk_client(w));
}

enum walk_result check_reverse_client_servers(struct walk *w, const struct restriction_use *use)
{
    struct walk_subject subject = {w->question->reverse_name, "Unverified Client host"};

    return check_client_name(w, use, w->question->reverse_name, subject);
}

enum walk_result check_helo_servers(struct walk *w, const struct restriction_use *use)
{
    const struct target t = {.use = use, .subject = walk_helo(w), .name = w->question->helo};

    return check(w, &t);
}

static enum walk_result check_mail(struct walk *w, const struct restriction_use *use, struct walk_subject subject)
{
    struct target t = {.use = use, .subject = subject};
    slice local;

    address_split(subject.about, &local, &t.name);
    if (t.name.n == 0)
        t.name = local;
    return check(w, &t);
}

enum walk_result check_sender_servers(struct walk *w, const struct restriction_use *use)
{
    return check_mail(w, use, walk_sender(w));
}

enum walk_result check_recipient_servers(struct walk *w, const struct restriction_use *use)
{
    return check_mail(w, use, walk_recipient(w));
}
