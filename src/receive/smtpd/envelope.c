/* The records at the head of a message, in the order of queue-file.md section 8. */
#include "mail/events/events.h"
#include "mail/proto/cleanup.h"
#include "mail/queue/record.h"
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

static bool client_attributes(struct session *s, struct err *err)
{
    slice protocol = s->is_esmtp ? S("ESMTP") : S("SMTP");
    slice family = s->client.u.any.sa_family == AF_INET6 ? S("10") : S("2");

    return attribute(s, "log_client_name", s->client_name, err) &&
           attribute(s, "log_client_address", s->client_address, err) &&
           attribute(s, "log_client_port", s->client_port, err) &&
           attribute(s, "log_message_origin", s->client_label, err) && attribute(s, "log_helo_name", s->helo, err) &&
           attribute(s, "log_protocol_name", protocol, err) && attribute(s, "client_name", s->client_name, err) &&
           attribute(s, "reverse_client_name", s->reverse_name, err) &&
           attribute(s, "client_address", s->client_address, err) && attribute(s, "client_port", s->client_port, err) &&
           attribute(s, "server_address", s->server_address, err) && attribute(s, "server_port", s->server_port, err) &&
           attribute(s, "helo_name", s->helo, err) && attribute(s, "protocol_name", protocol, err) &&
           attribute(s, "client_address_type", family, err);
}

static bool envelope_head(struct session *s, struct err *err)
{
    struct submission *to = &s->t.submission;
    slice filter = slice_text(s->world->params->content_filter);

    return submit_recordf(to, ipc_by(s), err, RECORD_TIME, "%lld %lld", (long long)(s->t.arrival_us / 1000000),
                          (long long)(s->t.arrival_us % 1000000)) &&
           (filter.n == 0 || submit_record(to, RECORD_LONG_TEXT, filter, ipc_by(s), err)) &&
           attribute(s, "log_ident", slice_text(to->queue_id), err) &&
           attribute(s, "rewrite_context", s->local_context ? S("local") : S("remote"), err) &&
           submit_record(to, RECORD_SENDER, s->t.sender, ipc_by(s), err) &&
           attribute(s, "encoding", s->t.encoding, err) && client_attributes(s, err);
}

bool envelope_begin(struct session *s, struct err *err)
{
    if (!submit_begin(&s->t.submission, cleanup_overridden(CLEANUP_FROM_SMTPD, s->world->overrides), ipc_by(s), err))
        return err_note(err, "connect to %s", CLEANUP_SERVICE);
    s->t.queued = true;
    event_received_client(
        &(struct event_received_client){.id = slice_text(s->t.submission.queue_id), .client = s->client_label});
    return envelope_head(s, err);
}

bool envelope_recipient(struct session *s, slice recipient, struct err *err)
{
    return submit_record(&s->t.submission, RECORD_RECIPIENT, recipient, ipc_by(s), err);
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

static bool received_header(struct session *s, struct err *err)
{
    AUTO_BUF struct buf for_whom = BUF_INIT(2048);
    struct submission *to = &s->t.submission;
    const struct params *c = s->world->params;
    char date[MAIL_DATE_MOST];
    slice helo = s->helo.p != NULL ? s->helo : s->client_name;

    mail_date_print(s->t.arrival_us / 1000000, date);
    if (!submit_recordf(to, ipc_by(s), err, RECORD_TEXT, "Received: from %.*s (%.*s [%s%.*s])", S_ARG(helo),
                        S_ARG(s->client_name), s->client.u.any.sa_family == AF_INET6 ? "IPv6:" : "",
                        S_ARG(s->client_address)))
        return false;
    if (s->t.recipients != 1)
        return submit_recordf(to, ipc_by(s), err, RECORD_TEXT, "\tby %s (%s) with %s id %s;", c->myhostname,
                              c->mail_name, s->is_esmtp ? "ESMTP" : "SMTP", to->queue_id) &&
               submit_recordf(to, ipc_by(s), err, RECORD_TEXT, "\t%s", date);
    (void)address_quote(s->t.first_recipient, &for_whom);
    return submit_recordf(to, ipc_by(s), err, RECORD_TEXT, "\tby %s (%s) with %s id %s", c->myhostname, c->mail_name,
                          s->is_esmtp ? "ESMTP" : "SMTP", to->queue_id) &&
           submit_recordf(to, ipc_by(s), err, RECORD_TEXT, "\tfor <%s>; %s", buf_text(&for_whom), date);
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
