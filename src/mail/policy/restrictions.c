#include "mail/policy/internal.h"

#include "core/base/cut.h"

static enum walk_result permit(struct walk *w, const struct restriction_use *use)
{
    (void)w;
    (void)use;
    return WALK_PERMIT;
}

/* "reject" and "defer" name whatever the client gave last. */
static slice latest_subject(const struct walk *w, const char **what)
{
    const struct policy_question *q = w->question;

    *what = q->recipient.p != NULL ? "Recipient address" : q->sender.p != NULL ? "Sender address" : "Client host";
    return q->recipient.p != NULL ? q->recipient : q->sender.p != NULL ? q->sender : q->client_name;
}

static enum walk_result reject(struct walk *w, const struct restriction_use *use)
{
    const char *what;
    slice about = latest_subject(w, &what);

    (void)use;
    return walk_refuse(w, w->policy->params->reject_code, "5.7.1", "<%.*s>: %s rejected: Access denied", S_ARG(about), what);
}

static enum walk_result defer(struct walk *w, const struct restriction_use *use)
{
    const char *what;
    slice about = latest_subject(w, &what);

    (void)use;
    return walk_refuse(w, w->policy->params->defer_code, "4.7.1", "<%.*s>: %s rejected: Try again later", S_ARG(about), what);
}

static enum walk_result permit_mynetworks(struct walk *w, const struct restriction_use *use)
{
    struct policy_question *q = w->question;
    struct err err;

    (void)use;
    switch (match_list_has(w->policy->mynetworks, q->client_name, q->client_address, q->by, &err)) {
    case TABLE_FOUND:
        return WALK_PERMIT;
    case TABLE_NOT_FOUND:
        return WALK_ON;
    default:
        return walk_trouble(w, q->client_address, "Client host", &err);
    }
}

static enum walk_result permit_sasl_authenticated(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return w->question->authenticated ? WALK_PERMIT : WALK_ON;
}

/* Do we take responsibility for this recipient's domain, without it being routed on by its local part? */
enum destination { DESTINATION_OURS, DESTINATION_FOREIGN, DESTINATION_UNKNOWN };

static enum destination destination_of(struct walk *w)
{
    const int64_t ours = RESOLVE_LOCAL | RESOLVE_VIRTUAL_ALIAS | RESOLVE_VIRTUAL_MAILBOX | RESOLVE_RELAY;

    if (w->question->recipient.p == NULL)
        return DESTINATION_FOREIGN;
    if (!walk_resolve(w))
        return DESTINATION_UNKNOWN;
    if ((w->question->resolved.flags & ours) == 0 || (w->question->resolved.flags & RESOLVE_ROUTED) != 0)
        return DESTINATION_FOREIGN;
    return DESTINATION_OURS;
}

static enum walk_result permit_auth_destination(struct walk *w, const struct restriction_use *use)
{
    enum destination d = destination_of(w);

    (void)use;
    return d == DESTINATION_OURS ? WALK_PERMIT : d == DESTINATION_FOREIGN ? WALK_ON : WALK_REFUSE;
}

static enum walk_result refuse_foreign(struct walk *w, int code, const char *dsn)
{
    enum destination d = destination_of(w);

    if (d == DESTINATION_UNKNOWN)
        return WALK_REFUSE;
    if (d == DESTINATION_OURS)
        return WALK_ON;
    return walk_refuse(w, code, dsn, "<%.*s>: Relay access denied", S_ARG(w->question->recipient));
}

static enum walk_result reject_unauth_destination(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return refuse_foreign(w, w->policy->params->relay_domains_reject_code, "5.7.1");
}

static enum walk_result defer_unauth_destination(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return refuse_foreign(w, 454, "4.7.1");
}

static enum walk_result reject_unlisted_recipient(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return w->question->recipient.p == NULL ? WALK_ON : listed_check(w);
}

static enum walk_result warn_if_reject(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    w->warn_if_reject = true;
    return WALK_ON;
}

/* ---- check_*_access ---- */
static enum walk_result check_client_access(struct walk *w, const struct restriction_use *use)
{
    const struct policy_question *q = w->question;
    AUTO_BUF struct buf about = BUF_INIT(400);

    (void)buf_addf(&about, "%.*s[%.*s]", S_ARG(q->client_name), S_ARG(q->client_address));
    return access_check_host(w, use->access, q->client_name, q->client_address, buf_slice(&about), "Client host");
}

static enum walk_result check_helo_access(struct walk *w, const struct restriction_use *use)
{
    slice helo = w->question->helo;

    return helo.p == NULL ? WALK_ON : access_check_domain(w, use->access, helo, helo, "Helo command");
}

static enum walk_result check_sender_access(struct walk *w, const struct restriction_use *use)
{
    slice sender = w->question->sender;
    slice null_key = slice_text(w->policy->params->smtpd_null_access_lookup_key);

    if (sender.p == NULL)
        return WALK_ON;
    return access_check_mail(w, use->access, sender.n > 0 ? sender : null_key, sender, "Sender address");
}

static enum walk_result check_recipient_access(struct walk *w, const struct restriction_use *use)
{
    slice recipient = w->question->recipient;

    return recipient.p == NULL ? WALK_ON : access_check_mail(w, use->access, recipient, recipient, "Recipient address");
}

static const struct restriction restrictions[] = {
    {.name = "permit", .check = permit, .ends_list = true},
    {.name = "reject", .check = reject, .guards_relaying = true},
    {.name = "defer", .check = defer, .guards_relaying = true},
    {.name = "permit_mynetworks", .check = permit_mynetworks},
    {.name = "permit_sasl_authenticated", .check = permit_sasl_authenticated},
    {.name = "permit_auth_destination", .check = permit_auth_destination},
    {.name = "reject_unauth_destination", .check = reject_unauth_destination, .guards_relaying = true},
    {.name = "defer_unauth_destination", .check = defer_unauth_destination, .guards_relaying = true},
    {.name = "reject_unlisted_recipient", .check = reject_unlisted_recipient},
    {.name = "check_recipient_maps", .check = reject_unlisted_recipient},
    {.name = "warn_if_reject", .check = warn_if_reject, .is_prefix = true},
    {.name = "check_client_access", .check = check_client_access, .takes_table = true},
    {.name = "check_helo_access", .check = check_helo_access, .takes_table = true},
    {.name = "check_sender_access", .check = check_sender_access, .takes_table = true},
    {.name = "check_recipient_access", .check = check_recipient_access, .takes_table = true},
};

const struct restriction *restriction_find(slice name)
{
    for (size_t i = 0; i < COUNT_OF(restrictions); i++)
        if (slice_eq_case(name, slice_text(restrictions[i].name)))
            return &restrictions[i];
    return NULL;
}
