#include "core/base/cut.h"
#include "core/run/task.h"
#include "mail/policy/access.h"
#include "mail/policy/blocklist.h"
#include "mail/policy/delegate.h"
#include "mail/policy/destination.h"
#include "mail/policy/listed.h"
#include "mail/policy/names.h"
#include "mail/policy/policy_inner.h"
#include "mail/policy/servers.h"
#include "mail/policy/verified.h"

#define DSN(subject, detail) ((struct dsn_code){0, (subject), (detail)})

static enum walk_result permit(struct walk *w, const struct restriction_use *use)
{
    (void)w;
    (void)use;
    return WALK_PERMIT;
}

static enum walk_result reject(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return walk_reject(w, w->params->reject_code, DSN(7, 1), w->subject, S("Access denied"));
}

static enum walk_result defer(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return walk_reject(w, w->params->defer_code, DSN(3, 2), w->subject, S("Try again later"));
}

static enum walk_result defer_if_permit(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    walk_defer_if(w, &w->question->if_permit, 450, DSN(7, 0), w->subject, S("defer_if_permit requested"));
    return WALK_ON;
}

static enum walk_result defer_if_reject(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    walk_defer_if(w, &w->if_reject, 450, DSN(7, 0), w->subject, S("defer_if_reject requested"));
    return WALK_ON;
}

static enum walk_result warn_if_reject(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    w->warn_if_reject = true;
    return WALK_ON;
}

/* Slows a client down. */
static enum walk_result sleep_for(struct walk *w, const struct restriction_use *use)
{
    slice digits = use->argument;
    unsigned seconds;
    struct err err;

    if (!cut_uint(&digits, 1, 6, &seconds) || digits.n > 0)
        return walk_misconfigured(w, "restriction sleep must be followed by number");
    if (!task_sleep(deadline_in(SECONDS(seconds)), &err))
        return WALK_ON; /* cancelled: the session notices by itself */
    w->question->by = deadline_in(w->params->ipc_timeout_us);
    return WALK_ON;
}

/* ---- the client ---- */
static enum walk_result permit_mynetworks(struct walk *w, const struct restriction_use *use)
{
    const struct policy_question *q = w->question;
    struct err err;

    (void)use;
    switch (match_list_has(w->policy->clients[POLICY_MYNETWORKS], q->client_name, q->client_address, q->by, &err)) {
    case TABLE_FOUND:
        return WALK_PERMIT;
    case TABLE_NOT_FOUND:
        return WALK_ON;
    default:
        walk_warn(w, "mynetworks: %s", err.text);
        return walk_temporary(w, w->subject.about);
    }
}

static enum walk_result permit_inet_interfaces(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return w->question->client_is_own_address ? WALK_PERMIT : WALK_ON;
}

/* Of former times. */
static enum walk_result permit_naked_ip_address(struct walk *w, const struct restriction_use *use)
{
    slice helo = w->question->helo;
    struct endpoint e;

    walk_warn(w, "restriction %s is deprecated. Use permit_mynetworks or permit_sasl_authenticated instead",
              use->what->name);
    return helo.n > 0 && helo.p[0] != '[' && endpoint_parse(helo, &e) ? WALK_PERMIT : WALK_ON;
}

static enum walk_result permit_sasl_authenticated(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return w->question->authenticated ? WALK_PERMIT : WALK_ON;
}

/* Nobody can log in, so nothing is known of whose address a sender is. */
static enum walk_result without_sasl(struct walk *w, const struct restriction_use *use)
{
    walk_warn(w, "restriction `%s' ignored: no SASL support", use->what->name);
    return WALK_ON;
}

static enum walk_result reject_sender_login_mismatch(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    walk_warn(w, "restriction `reject_authenticated_sender_login_mismatch' ignored: no SASL support");
    walk_warn(w, "restriction `reject_unauthenticated_sender_login_mismatch' ignored: no SASL support");
    return WALK_ON;
}

/* Client certificates come with TLS. */
static enum walk_result check_ccert_access(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    walk_warn(w, "check_ccert_access is requested, but \"smtpd_tls_ask_ccert = no\"");
    return WALK_ON;
}

static enum walk_result without_tls(struct walk *w, const struct restriction_use *use)
{
    (void)w;
    (void)use;
    return WALK_ON;
}

static enum walk_result reject_plaintext_session(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return walk_refuse(w, w->params->plaintext_reject_code, DSN(7, 1), "Session encryption is required");
}

static enum walk_result reject_unauth_pipelining(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    if (!w->question->pipelined)
        return WALK_ON;
    return walk_reject(w, 503, DSN(5, 0), w->subject, S("Improper use of SMTP command pipelining"));
}

/* ---- sender and recipient ---- */
/* Of former times. */
static enum walk_result check_relay_domains(struct walk *w, const struct restriction_use *use)
{
    enum walk_result result = permit_auth_destination(w, use);

    walk_warn(w, "support for restriction \"%s\" will be removed from Postfix; use \"reject_unauth_destination\" instead",
              use->what->name);
    return result == WALK_ON ? walk_reject(w, w->params->relay_domains_reject_code, DSN(7, 1), walk_recipient(w),
                                           S("Relay access denied"))
                             : result;
}

static enum walk_result reject_unlisted_recipient(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return listed_recipient(w);
}

static enum walk_result reject_unlisted_sender(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return listed_sender(w);
}

static enum walk_result reject_unverified_recipient(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return verified_recipient(w);
}

static enum walk_result reject_unverified_sender(struct walk *w, const struct restriction_use *use)
{
    (void)use;
    return verified_sender(w);
}

static enum walk_result reject_multi_recipient_bounce(struct walk *w, const struct restriction_use *use)
{
    const struct policy_question *q = w->question;

    unsigned this_one = w->list < POLICY_DATA ? 1 : 0;

    (void)use;
    if (q->sender.p == NULL || q->sender.n > 0 || q->recipients + this_one < 2)
        return WALK_ON;
    return walk_reject(w, w->params->multi_recipient_bounce_reject_code, DSN(5, 3), w->subject,
                       S("Multi-recipient bounce"));
}

/* ---- check_*_access ---- */
static enum walk_result check_client_access(struct walk *w, const struct restriction_use *use)
{
    return access_host(w, use->access, w->question->client_name, w->question->client_address, walk_client(w));
}

static enum walk_result check_reverse_client_access(struct walk *w, const struct restriction_use *use)
{
    struct walk_subject subject = {w->question->reverse_name, "Unverified Client host"};

    return access_host(w, use->access, w->question->reverse_name, w->question->client_address, subject);
}

/* Of local_header_rewrite_clients: what the table says does not matter. */
static enum walk_result check_address_map(struct walk *w, const struct restriction_use *use)
{
    AUTO_BUF struct buf value = BUF_INIT(4096);
    struct err err;

    switch (table_get(use->access, w->question->client_address, w->question->by, &value, &err)) {
    case TABLE_FOUND:
        return WALK_PERMIT;
    case TABLE_NOT_FOUND:
        return WALK_ON;
    default:
        return walk_table_trouble(w, table_name(use->access), w->question->client_address, walk_client(w), &err);
    }
}

static enum walk_result check_helo_access(struct walk *w, const struct restriction_use *use)
{
    bool found = false;

    return w->question->helo.p == NULL ? WALK_ON
                                       : access_domain(w, use->access, w->question->helo, walk_helo(w), &found);
}

static enum walk_result check_sender_access(struct walk *w, const struct restriction_use *use)
{
    const struct resolved *to;
    enum walk_result result;

    if (w->question->sender.p == NULL)
        return WALK_ON;
    if (w->question->sender.n == 0)
        return access_mail(w, use->access, slice_text(w->params->smtpd_null_access_lookup_key), walk_sender(w));
    return walk_resolve_sender(w, &to, &result) ? access_mail(w, use->access, to->recipient, walk_sender(w)) : result;
}

static enum walk_result check_recipient_access(struct walk *w, const struct restriction_use *use)
{
    const struct resolved *to;
    enum walk_result result;

    if (w->question->recipient.p == NULL)
        return WALK_ON;
    return walk_resolve_recipient(w, &to, &result) ? access_mail(w, use->access, to->recipient, walk_recipient(w))
                                                   : result;
}

static enum walk_result check_etrn_access(struct walk *w, const struct restriction_use *use)
{
    struct walk_subject subject = {w->question->etrn_domain, "Etrn command"};
    bool found = false;

    return subject.about.p == NULL ? WALK_ON : access_domain(w, use->access, subject.about, subject, &found);
}

static const struct restriction restrictions[] = {
    {.name = "permit", .check = permit, .ends_list = true, .permits_for = walk_whatever},
    {.name = "reject", .check = reject, .guards_relaying = true},
    {.name = "defer", .check = defer, .guards_relaying = true},
    {.name = "defer_if_permit", .check = defer_if_permit, .guards_relaying = true},
    {.name = "defer_if_reject", .check = defer_if_reject},
    {.name = "warn_if_reject", .check = warn_if_reject, .is_prefix = true},
    {.name = "sleep", .check = sleep_for, .argument = ARGUMENT_SECONDS},
    {.name = "permit_mynetworks", .check = permit_mynetworks, .permits_for = walk_client},
    {.name = "permit_inet_interfaces", .check = permit_inet_interfaces, .permits_for = walk_client},
    {.name = "permit_naked_ip_address", .check = permit_naked_ip_address, .permits_for = walk_helo},
    {.name = "permit_sasl_authenticated", .check = permit_sasl_authenticated, .permits_for = walk_client},
    {.name = "reject_sender_login_mismatch", .check = reject_sender_login_mismatch},
    {.name = "reject_authenticated_sender_login_mismatch", .check = without_sasl},
    {.name = "reject_known_sender_login_mismatch", .check = without_sasl},
    {.name = "reject_unauthenticated_sender_login_mismatch", .check = without_sasl},
    {.name = "check_sasl_access", .check = without_sasl, .argument = ARGUMENT_TABLE},
    {.name = "permit_tls_all_clientcerts", .check = without_tls},
    {.name = "permit_tls_clientcerts", .check = without_tls},
    {.name = "check_ccert_access", .check = check_ccert_access, .argument = ARGUMENT_TABLE},
    {.name = "reject_plaintext_session", .check = reject_plaintext_session},
    {.name = "reject_unauth_pipelining", .check = reject_unauth_pipelining},
    {.name = "permit_auth_destination", .check = permit_auth_destination, .permits_for = walk_recipient},
    {.name = "reject_unauth_destination", .check = reject_unauth_destination, .guards_relaying = true},
    {.name = "defer_unauth_destination", .check = defer_unauth_destination, .guards_relaying = true},
    {.name = "check_relay_domains", .check = check_relay_domains, .guards_relaying = true, .permits_for = walk_recipient},
    {.name = "reject_unlisted_recipient", .check = reject_unlisted_recipient},
    {.name = "check_recipient_maps", .check = reject_unlisted_recipient},
    {.name = "reject_unlisted_sender", .check = reject_unlisted_sender},
    {.name = "reject_unverified_recipient", .check = reject_unverified_recipient},
    {.name = "reject_unverified_sender", .check = reject_unverified_sender},
    {.name = "reject_multi_recipient_bounce", .check = reject_multi_recipient_bounce},
    {.name = "permit_mx_backup", .check = permit_mx_backup, .permits_for = walk_recipient},
    {.name = "reject_unknown_client_hostname", .check = reject_unknown_client_hostname},
    {.name = "reject_unknown_client", .check = reject_unknown_client_hostname},
    {.name = "reject_unknown_reverse_client_hostname", .check = reject_unknown_reverse_client_hostname},
    {.name = "reject_invalid_helo_hostname", .check = reject_invalid_helo_hostname},
    {.name = "reject_invalid_hostname", .check = reject_invalid_helo_hostname},
    {.name = "reject_non_fqdn_helo_hostname", .check = reject_non_fqdn_helo_hostname},
    {.name = "reject_non_fqdn_hostname", .check = reject_non_fqdn_helo_hostname},
    {.name = "reject_unknown_helo_hostname", .check = reject_unknown_helo_hostname},
    {.name = "reject_unknown_hostname", .check = reject_unknown_helo_hostname},
    {.name = "reject_non_fqdn_sender", .check = reject_non_fqdn_sender},
    {.name = "reject_non_fqdn_recipient", .check = reject_non_fqdn_recipient},
    {.name = "reject_unknown_sender_domain", .check = reject_unknown_sender_domain},
    {.name = "reject_unknown_address", .check = reject_unknown_sender_domain},
    {.name = "reject_unknown_recipient_domain", .check = reject_unknown_recipient_domain},
    {.name = "reject_rbl_client", .check = reject_rbl_client, .argument = ARGUMENT_DOMAIN},
    {.name = "reject_rbl", .check = reject_rbl_client, .argument = ARGUMENT_DOMAIN},
    {.name = "reject_rhsbl_client", .check = reject_rhsbl_client, .argument = ARGUMENT_DOMAIN},
    {.name = "reject_rhsbl_reverse_client", .check = reject_rhsbl_reverse_client, .argument = ARGUMENT_DOMAIN},
    {.name = "reject_rhsbl_helo", .check = reject_rhsbl_helo, .argument = ARGUMENT_DOMAIN},
    {.name = "reject_rhsbl_sender", .check = reject_rhsbl_sender, .argument = ARGUMENT_DOMAIN},
    {.name = "reject_rhsbl_recipient", .check = reject_rhsbl_recipient, .argument = ARGUMENT_DOMAIN},
    {.name = "permit_dnswl_client", .check = permit_dnswl_client, .argument = ARGUMENT_DOMAIN, .permits_for = walk_client},
    {.name = "permit_rhswl_client", .check = permit_rhswl_client, .argument = ARGUMENT_DOMAIN, .permits_for = walk_client},
    {.name = "reject_maps_rbl", .check = reject_maps_rbl},
    {.name = "check_policy_service", .check = check_policy_service, .argument = ARGUMENT_SERVER},
    {.name = "check_client_access", .check = check_client_access, .argument = ARGUMENT_TABLE},
    {.name = "check_reverse_client_hostname_access", .check = check_reverse_client_access, .argument = ARGUMENT_TABLE},
    {.name = "check_address_map", .check = check_address_map, .argument = ARGUMENT_TABLE},
    {.name = "check_helo_access", .check = check_helo_access, .argument = ARGUMENT_TABLE},
    {.name = "check_sender_access", .check = check_sender_access, .argument = ARGUMENT_TABLE},
    {.name = "check_recipient_access", .check = check_recipient_access, .argument = ARGUMENT_TABLE},
    {.name = "check_etrn_access", .check = check_etrn_access, .argument = ARGUMENT_TABLE},
#define SERVERS(who, function)                                                                                         \
    {.name = "check_" who "_mx_access", .check = function, .argument = ARGUMENT_TABLE, .servers = DNS_MX},             \
        {.name = "check_" who "_ns_access", .check = function, .argument = ARGUMENT_TABLE, .servers = DNS_NS},         \
        {.name = "check_" who "_a_access", .check = function, .argument = ARGUMENT_TABLE, .servers = DNS_A},
    SERVERS("client", check_client_servers)
    SERVERS("reverse_client_hostname", check_reverse_client_servers)
    SERVERS("helo", check_helo_servers)
    SERVERS("sender", check_sender_servers)
    SERVERS("recipient", check_recipient_servers)
};

const struct restriction *restriction_find(slice name)
{
    for (size_t i = 0; i < COUNT_OF(restrictions); i++)
        if (slice_eq_case(name, slice_text(restrictions[i].name)))
            return &restrictions[i];
    return NULL;
}
