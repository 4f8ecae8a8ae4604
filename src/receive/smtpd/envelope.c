/* The records at the head of a message, in the order of queue-file.md section 8. */
#include "mail/events/events.h"
#include "mail/proto/cleanup.h"
#include "mail/queue/record.h"
#include "mail/smtp/command.h"
#include "mail/syntax/address.h"
#include "mail/syntax/date.h"
#include "receive/smtpd/session.h"

static deadline ipc_by(const struct session *s)
{
    return task_deadline_in(s->world->params->ipc_timeout_us);
}

static bool attribute(struct session *s, const char *name, slice value, struct err *err)
{
    return value.n == 0 || submit_attribute(&s->t.submission, name, value, ipc_by(s), err);
}

static slice protocol_name(const struct session *s)
{
    return s->is_esmtp ? S("ESMTP") : S("SMTP");
}

/* For the log: of the client behind this one, where XFORWARD told of it. */
static bool log_attributes(struct session *s, struct err *err)
{
    const struct forwarded here = {.name = s->client_name,
                                   .address = s->client_address,
                                   .port = s->client_port,
                                   .protocol = protocol_name(s),
                                   .helo = s->helo};
    const struct forwarded *f = s->forwarded.client ? &s->forwarded : &here;

    return attribute(s, "log_client_name", f->name, err) && attribute(s, "log_client_address", f->address, err) &&
           attribute(s, "log_client_port", f->port, err) &&
           attribute(s, "log_message_origin", s->forwarded.client ? forwarded_label(s) : s->client_label, err) &&
           attribute(s, "log_helo_name", f->helo, err) && attribute(s, "log_protocol_name", f->protocol, err);
}

static bool client_attributes(struct session *s, struct err *err)
{
    slice family = s->client.u.any.sa_family == AF_INET6 ? S("10") : S("2");

    return log_attributes(s, err) && attribute(s, "client_name", s->client_name, err) &&
           attribute(s, "reverse_client_name", s->reverse_name, err) &&
           attribute(s, "client_address", s->client_address, err) && attribute(s, "client_port", s->client_port, err) &&
           attribute(s, "server_address", s->server_address, err) && attribute(s, "server_port", s->server_port, err) &&
           attribute(s, "helo_name", s->helo, err) && attribute(s, "protocol_name", protocol_name(s), err) &&
           attribute(s, "client_address_type", family, err);
}

static bool number_attribute(struct session *s, const char *name, int value, struct err *err)
{
    return value == 0 || submit_recordf(&s->t.submission, ipc_by(s), err, RECORD_ATTRIBUTE, "%s=%d", name, value);
}

static bool message_attributes(struct session *s, struct err *err)
{
    const struct forwarded *f = &s->forwarded;
    bool is_local = f->has_source ? f->is_local : s->local_context;
    slice ident = f->ident.n > 0 ? f->ident : slice_text(s->t.submission.queue_id);

    return attribute(s, "log_ident", ident, err) &&
           attribute(s, "rewrite_context", is_local ? S("local") : S("remote"), err) &&
           attribute(s, "sasl_method", s->sasl_method, err) && attribute(s, "sasl_username", s->sasl_username, err) &&
           (s->t.auth.p == NULL || submit_attribute(&s->t.submission, "sasl_sender", s->t.auth, ipc_by(s), err)) &&
           attribute(s, "envelope_id", s->t.envelope_id, err) && number_attribute(s, "ret_flags", s->t.ret, err);
}

static bool envelope_head(struct session *s, struct err *err)
{
    struct submission *to = &s->t.submission;
    slice filter = slice_text(s->world->params->content_filter);

    return submit_recordf(to, ipc_by(s), err, RECORD_TIME, "%lld %lld", (long long)(s->t.arrival_us / 1000000),
                          (long long)(s->t.arrival_us % 1000000)) &&
           (filter.n == 0 || submit_record(to, RECORD_LONG_TEXT, filter, ipc_by(s), err)) &&
           message_attributes(s, err) && submit_record(to, RECORD_SENDER, s->t.sender, ipc_by(s), err) &&
           attribute(s, "encoding", s->t.encoding, err) && client_attributes(s, err) &&
           (s->t.verp.n == 0 || submit_record(to, RECORD_VERP, s->t.verp, ipc_by(s), err));
}

/* All that postdrop takes: the rest is pickup's to say. */
static bool dropped_head(struct session *s, struct err *err)
{
    return submit_recordf(&s->t.submission, ipc_by(s), err, RECORD_TIME, "%lld %lld",
                          (long long)(s->t.arrival_us / 1000000), (long long)(s->t.arrival_us % 1000000)) &&
           submit_record(&s->t.submission, RECORD_SENDER, s->t.sender, ipc_by(s), err) &&
           attribute(s, "encoding", s->t.encoding, err);
}

static bool begin_submission(struct session *s, struct err *err)
{
    AUTO_BUF struct buf postdrop = BUF_INIT(4096);
    int64_t flags = cleanup_overridden(CLEANUP_FROM_SMTPD, s->world->overrides) |
                    (s->t.smtputf8 ? CLEANUP_SMTPUTF8 : 0) | submit_autodetects_utf8(S("smtpd"));

    if (!s->world->standalone)
        return submit_begin(&s->t.submission, flags, ipc_by(s), err) || err_note(err, "connect to %s", s->world->params->cleanup_service_name);
    (void)buf_addf(&postdrop, "%s/postdrop", s->world->params->command_directory);
    return submit_begin_drop(&s->t.submission, buf_text(&postdrop), ipc_by(s), err);
}

bool envelope_begin(struct session *s, struct err *err)
{
    if (!begin_submission(s, err))
        return false;
    s->t.queued = true;
    event_received_client(&(struct event_received_client){
        .id = slice_text(s->t.submission.queue_id),
        .client = s->client_label,
        .sasl_method = s->sasl_method,
        .sasl_username = s->sasl_username,
        .sasl_sender = s->t.auth,
        .orig_queue_id = s->forwarded.ident,
        .orig_client = s->forwarded.client ? forwarded_label(s) : (slice){0},
    });
    return s->world->standalone ? dropped_head(s, err) : envelope_head(s, err);
}

bool envelope_recipient(struct session *s, slice recipient, const struct rcpt_parameters *wishes, struct err *err)
{
    return number_attribute(s, "notify_flags", wishes->notify, err) &&
           attribute(s, "dsn_orig_rcpt", wishes->orcpt, err) &&
           submit_record(&s->t.submission, RECORD_RECIPIENT, recipient, ipc_by(s), err);
}

/* What access tables asked for: all of it before the content, what came later behind it.  Each is said once. */
static bool envelope_actions(struct session *s, struct err *err)
{
    struct submission *to = &s->t.submission;

    int64_t flags = (s->t.held ? CLEANUP_HOLD : 0) | (s->t.discarded ? CLEANUP_DISCARD : 0);

    if (flags != s->t.told_flags && !submit_recordf(to, ipc_by(s), err, RECORD_FLAGS, "%lld", (long long)flags))
        return false;
    s->t.told_flags = flags;
    for (const struct bcc *b = s->t.bccs; b != NULL; b = b->next)
        if (!attribute(s, "notify_flags", S("1"), err) ||
            !submit_record(to, RECORD_RECIPIENT, b->address, ipc_by(s), err))
            return false;
    if (s->t.filter.n > 0 && !submit_record(to, RECORD_LONG_TEXT, s->t.filter, ipc_by(s), err))
        return false;
    if (s->t.redirect.n > 0 && !submit_record(to, RECORD_REDIRECT, s->t.redirect, ipc_by(s), err))
        return false;
    s->t.filter = s->t.redirect = S("");
    s->t.bccs = NULL;
    return true;
}

/* "from HELO (NAME [ADDRESS])" */
static bool received_from(struct session *s, struct err *err)
{
    slice helo = s->helo.p != NULL ? s->helo : s->client_name;
    bool six = slice_find(s->client_address, ':') != SLICE_NONE;

    return submit_recordf(&s->t.submission, ipc_by(s), err, RECORD_TEXT, "Received: from %.*s (%.*s [%s%.*s])",
                          S_ARG(helo), S_ARG(s->client_name), six ? "IPv6:" : "", S_ARG(s->client_address));
}

/* RFC 3848, RFC 6531 section 4.3: "ESMTPA", "UTF8SMTP". */
static const char *transmission_type(const struct session *s)
{
    bool authenticated = s->sasl_username.n > 0;

    if (s->t.smtputf8)
        return authenticated ? "UTF8SMTPA" : "UTF8SMTP";
    return !s->is_esmtp ? "SMTP" : authenticated ? "ESMTPA" : "ESMTP";
}

static bool received_header(struct session *s, struct err *err)
{
    AUTO_BUF struct buf for_whom = BUF_INIT(2048);
    struct submission *to = &s->t.submission;
    const struct params *c = s->world->params;
    char date[MAIL_DATE_MOST];

    mail_date_print(s->t.arrival_us / 1000000, date);
    if (!received_from(s, err) ||
        !submit_recordf(to, ipc_by(s), err, RECORD_TEXT, "\tby %s (%s) with %s id %s%s", c->myhostname, c->mail_name,
                        transmission_type(s), to->queue_id, s->t.recipients == 1 ? "" : ";"))
        return false;
    if (s->t.recipients != 1)
        return submit_recordf(to, ipc_by(s), err, RECORD_TEXT, "\t%s", date);
    (void)address_quote(s->t.first_recipient, &for_whom);
    return submit_recordf(to, ipc_by(s), err, RECORD_TEXT, "\tfor <%s>; %s", buf_text(&for_whom), date);
}

bool envelope_content(struct session *s, struct err *err)
{
    if (!envelope_actions(s, err) || !submit_record(&s->t.submission, RECORD_CONTENT, S(""), ipc_by(s), err))
        return false;
    for (const struct prepend *p = s->t.prepends; p != NULL; p = p->next)
        if (!submit_record(&s->t.submission, RECORD_TEXT, p->line, ipc_by(s), err))
            return false;
    return received_header(s, err);
}

bool envelope_end(struct session *s, struct err *err)
{
    struct submission *to = &s->t.submission;

    return submit_record(to, RECORD_EXTRACTED, S(""), ipc_by(s), err) && envelope_actions(s, err) &&
           submit_record(to, RECORD_END, S(""), ipc_by(s), err);
}
