#include "deliver/smtp/transaction.h"

#include "deliver/smtp/body.h"
#include "deliver/smtp/command.h"
#include "deliver/smtp/generic.h"
#include "deliver/smtp/pix.h"
#include "deliver/smtp/xforward.h"
#include "mail/events/events.h"
#include "mail/service/service.h"
#include "mail/syntax/address.h"

/* The dialogue in progress: what has been sent and what still wants an answer. */
struct talk {
    struct delivery *d;
    struct connection *c;
    struct arena *arena;
    const struct settings *settings;
    enum phase phase;
    bool answered;                                   /* any reply at all */
    enum { NO_PROBE, PROBE_RCPT, PROBE_DATA } probe; /* see probe_of() */
    struct err err;
};

static bool hear(struct talk *t, int64_t timeout_us, struct reply *reply)
{
    if (!connection_hear(t->c, t->arena, timeout_us, reply, &t->err))
        return false;
    t->answered = true;
    return true;
}

static bool write_line(struct talk *t, slice line, int64_t timeout_us)
{
    connection_note(t->c, line);
    return stream_write(t->c->stream, line, deadline_in(timeout_us), &t->err);
}

/* "I do not know that command", and what is no answer at all to COMMAND, are no fault of the mail. */
static struct outcome said(const struct talk *t, const struct reply *reply, const char *command)
{
    if (reply->code < 400 || (reply->code >= 500 && reply->code < 510))
        transcript_blame(&t->c->transcript, NOTICE_PROTOCOL);
    return verdict_said(t->c, reply, command, t->arena);
}

/* How ADDRESS stands in a command. */
static bool add_path(struct talk *t, slice address, struct buf *out)
{
    bool good;

    if (!generic_address(t->settings, address, t->arena, &address, &t->err))
        return false;
    good = t->settings->quote_rfc821_envelope ? address_quote(address, out) : buf_add(out, address);
    return good || err_set(&t->err, ERR_LIMIT, "address too long");
}

static bool say_mail(struct talk *t)
{
    AUTO_BUF struct buf line = BUF_INIT(8192), path = BUF_INIT(8192);

    if (!add_path(t, t->d->request->wire.sender, &path))
        return false;
    command_mail(&t->d->request->wire, buf_slice(&path), t->c->features,
                 (t->c->features & HAS_8BITMIME) != 0 || t->settings->keeps_eight_bits, &line);
    return write_line(t, buf_slice(&line), t->settings->mail_timeout_us);
}

static bool say_rcpt(struct talk *t, size_t i)
{
    const struct recipient *r = &t->d->request->recipients[i];
    AUTO_BUF struct buf line = BUF_INIT(8192), path = BUF_INIT(8192);

    if (!add_path(t, r->address, &path))
        return false;
    command_rcpt(r, buf_slice(&path), t->c->features, &line);
    return write_line(t, buf_slice(&line), t->settings->rcpt_timeout_us);
}

static bool say_data(struct talk *t)
{
    return write_line(t, S("DATA\r\n"), t->settings->data_init_timeout_us);
}

/* Answers to MAIL and RCPT.  *ACCEPTED counts recipients taken; *REFUSED: MAIL itself was. */
static bool hear_mail(struct talk *t, bool *refused)
{
    struct reply reply;

    t->phase = PHASE_MAIL;
    if (!hear(t, t->settings->mail_timeout_us, &reply))
        return false;
    *refused = reply.code / 100 != 2;
    if (*refused) {
        struct outcome o = said(t, &reply, "MAIL FROM");

        delivery_answer_all(t->d, RCPT_TODO, &o);
    }
    return true;
}

/* The end of a recipient by the answer to COMMAND: taken, or not. */
static struct outcome delivered(const struct talk *t, const struct reply *reply, const char *command)
{
    bool is_final = (t->c->features & HAS_DSN) != 0 || (t->settings->lmtp && t->settings->assume_final);

    struct outcome o;

    if (reply->code / 100 != 2)
        return said(t, reply, command);
    o = verdict_said(t->c, reply, command, t->arena);
    o.kind = OUTCOME_DELIVERED;
    o.dsn = reply->dsn;
    o.reason = o.diag_text;
    o.action = is_final && t->settings->lmtp ? S("delivered") : S("relayed");
    return o;
}

static bool hear_rcpt(struct talk *t, size_t i, bool mail_refused, size_t *accepted)
{
    struct reply reply;
    struct outcome o;

    t->phase = PHASE_RCPT;
    if (!hear(t, t->settings->rcpt_timeout_us, &reply))
        return false;
    if (mail_refused)
        return true; /* settled with MAIL's answer */
    if (t->probe == PROBE_RCPT && reply.code / 100 == 2) {
        o = delivered(t, &reply, "RCPT TO");
        delivery_settle(t->d, i, &o);
        return true;
    }
    if (reply.code / 100 == 2) {
        t->d->progress[i] = RCPT_ACCEPTED;
        t->d->todo--;
        ++*accepted;
        return true;
    }
    o = said(t, &reply, "RCPT TO");
    delivery_tell_if_passing(t->d, &o);
    delivery_answer(t->d, i, &o);
    return true;
}

static bool hear_data(struct talk *t, size_t accepted, bool *go)
{
    struct reply reply;
    struct outcome o;

    t->phase = PHASE_DATA;
    if (!hear(t, t->settings->data_init_timeout_us, &reply))
        return false;
    *go = reply.code / 100 == 3;
    if (*go && t->probe == PROBE_DATA) {
        o = delivered(t, &(struct reply){.code = 200, .dsn = {2, 0, 0}, .text = reply.text}, "DATA");
        delivery_answer_all(t->d, RCPT_ACCEPTED, &o);
        return true;
    }
    if (*go || accepted == 0)
        return true;
    o = said(t, &reply, "DATA");
    if (reply.code / 100 == 2)
        o.reason = arena_format(t->arena, o.reason, "Protocol error: %.*s", S_ARG(o.reason));
    delivery_answer_all(t->d, RCPT_ACCEPTED, &o);
    return true;
}

/* All commands in one go, then all answers.  OFFERED marks who is asked for. */
static bool envelope_at_once(struct talk *t, const bool *offered, bool *go, size_t *accepted)
{
    const struct agent_request *r = t->d->request;
    bool refused = false;

    t->phase = PHASE_MAIL;
    if (!say_mail(t))
        return false;
    for (size_t i = 0; i < r->recipient_count; i++)
        if (offered[i] && !say_rcpt(t, i))
            return false;
    if ((t->probe != PROBE_RCPT && !say_data(t)) || !hear_mail(t, &refused))
        return false;
    for (size_t i = 0; i < r->recipient_count; i++)
        if (offered[i] && !hear_rcpt(t, i, refused, accepted))
            return false;
    return t->probe == PROBE_RCPT || hear_data(t, *accepted, go);
}

static bool envelope_step_by_step(struct talk *t, const bool *offered, bool *go, size_t *accepted)
{
    const struct agent_request *r = t->d->request;
    bool refused = false;

    t->phase = PHASE_MAIL;
    if (!say_mail(t) || !hear_mail(t, &refused))
        return false;
    for (size_t i = 0; i < r->recipient_count && !refused; i++) {
        t->phase = PHASE_RCPT;
        if (offered[i] && (!say_rcpt(t, i) || !hear_rcpt(t, i, refused, accepted)))
            return false;
    }
    return *accepted == 0 || (say_data(t) && hear_data(t, *accepted, go));
}

/* *GO: the server waits for content, and *ACCEPTED recipients have been taken. */
static bool envelope(struct talk *t, bool *go, size_t *accepted)
{
    size_t count = t->d->request->recipient_count;
    bool *offered = arena_alloc_array(t->arena, count, sizeof *offered);

    if (offered == NULL)
        return err_set(&t->err, ERR_LIMIT, "no memory for a delivery");
    for (size_t i = 0; i < count; i++)
        offered[i] = t->d->progress[i] == RCPT_TODO;
    return (t->c->features & HAS_PIPELINING) != 0 ? envelope_at_once(t, offered, go, accepted)
                                                  : envelope_step_by_step(t, offered, go, accepted);
}

/* ---- the end of the content ---- */

/* A server with DSN has been told who wants to hear of success, and will do so itself: RFC 3461 5.2.2. */
static void leave_success_to_server(const struct talk *t, size_t i)
{
    if (t->c->features & HAS_DSN)
        t->d->request->recipients[i].notify &= ~NOTIFY_SUCCESS;
}

static void answer_taken(struct talk *t, size_t i, const struct outcome *o)
{
    if (o->kind == OUTCOME_DELIVERED)
        leave_success_to_server(t, i);
    delivery_answer(t->d, i, o);
}

/* After the dot: one answer for all whom the server took, or (LMTP, RFC 2033 4.2) one for each of them in their order.
 */
static bool hear_verdict(struct talk *t)
{
    struct agent_request *r = t->d->request;
    struct outcome o = {0};
    bool heard = false;

    for (size_t i = 0; i < r->recipient_count; i++) {
        struct reply reply;

        if (t->d->progress[i] != RCPT_ACCEPTED)
            continue;
        if (!heard || t->settings->lmtp) {
            if (!hear(t, t->settings->data_done_timeout_us, &reply))
                return false;
            o = delivered(t, &reply, "end of DATA");
            delivery_tell_if_passing(t->d, &o);
            heard = true;
        }
        answer_taken(t, i, &o);
    }
    return true;
}

/* A firewall that takes the dot only when it comes alone. */
static bool wait_for_pix(struct talk *t)
{
    if ((t->c->pix & PIX_DELAY_DOTCRLF) == 0)
        return true;
    return stream_flush(t->c->stream, deadline_in(t->settings->data_xfer_timeout_us), &t->err) &&
           task_sleep(deadline_in(t->settings->pix_workaround_delay_time_us), &t->err);
}

/* The dot, and what the server makes of the message. */
static bool hand_over(struct talk *t)
{
    int64_t timeout = t->settings->data_xfer_timeout_us;

    if (!wait_for_pix(t) || !write_line(t, S(".\r\n"), timeout))
        return false;
    if (!t->d->keep) {
        t->c->said_quit = true;
        if (!write_line(t, S("QUIT\r\n"), timeout))
            return false;
    }
    if (!stream_flush(t->c->stream, deadline_in(timeout), &t->err))
        return false;
    t->phase = PHASE_DONE;
    return hear_verdict(t);
}

static bool end_of_data(struct talk *t)
{
    bool heard;

    service_hold();
    heard = hand_over(t);
    service_release();
    return heard;
}

/* Everybody was refused, yet the server waits for content: RFC 2920 3.1 has the client send the dot alone. */
static bool nothing_to_say(struct talk *t)
{
    struct reply reply;

    return write_line(t, S(".\r\n"), t->settings->data_xfer_timeout_us) &&
           hear(t, t->settings->data_done_timeout_us, &reply);
}

/* ---- other ends ---- */

/* The transaction came to nothing: the server is to forget it. */
static void reset(struct talk *t)
{
    struct reply reply;

    if (!connection_ask(t->c, S("RSET"), t->settings->rset_timeout_us, t->arena, &reply, &t->err))
        t->c->broken = true;
}

static enum transaction_end lost(struct talk *t, struct outcome *why)
{
    t->c->broken = true;
    for (size_t i = 0; i < t->d->request->recipient_count; i++)
        if (t->d->progress[i] == RCPT_ACCEPTED) {
            t->d->progress[i] = RCPT_TODO;
            t->d->todo++;
        }
    *why = verdict_lost(t->c, t->phase, &t->err, t->arena);
    return t->answered ? TRANSACTION_LOST : TRANSACTION_LOST_EARLY;
}

/* A queue file that cannot be read: closing without the dot, the server drops what it has. */
static void give_up_on_file(struct talk *t)
{
    t->c->broken = true;
    agent_unreadable(t->d->request, &t->err);
    for (size_t i = 0; i < t->d->request->recipient_count; i++)
        t->d->progress[i] = RCPT_SETTLED;
    t->d->todo = 0;
}

/* What this server cannot do: no need to try. */
static bool is_unfit(struct talk *t)
{
    const struct delivery_request *w = &t->d->request->wire;
    slice reason;
    struct outcome o;

    if (t->c->size_limit > 0 && w->size > t->c->size_limit) {
        reason = arena_format(t->arena, S("message size exceeds the server's limit"),
                              "message size %lld exceeds size limit %lld of server %s", (long long)w->size,
                              (long long)t->c->size_limit, t->c->label);
        o = verdict_unfit(t->c, (struct dsn_code){5, 3, 4}, reason, t->arena);
        t->c->broken = true;
    } else if (!(t->c->features & HAS_SMTPUTF8) &&
               (w->smtputf8 & (DELIVERY_UTF8_HEADER | DELIVERY_UTF8_SENDER | DELIVERY_UTF8_RECIPIENT)) != 0) {
        reason = arena_format(t->arena, S("SMTPUTF8 is required"),
                              "SMTPUTF8 is required, but was not offered by host %s", t->c->label);
        o = verdict_unfit(t->c, (struct dsn_code){5, 6, 7}, reason, t->arena);
    } else {
        return false;
    }
    delivery_answer_all(t->d, RCPT_TODO, &o);
    return true;
}

/* A probe only asks whether recipients would be taken; nothing is sent (sendmail -bv, verify(8)).  What tells is the
 * answer to RCPT, or to DATA by smtp_address_verify_target. */
static int probe_of(const struct delivery *d)
{
    if ((d->request->wire.flags & (DELIVERY_MTA_PROBE | DELIVERY_USER_PROBE)) == 0)
        return NO_PROBE;
    return slice_eq_case(slice_text(d->settings->address_verify_target), S("data")) ? PROBE_DATA : PROBE_RCPT;
}

/* The server waits for the content. */
static enum transaction_end send_content(struct talk *t, struct outcome *why)
{
    t->phase = PHASE_BODY;
    switch (body_send(t->d->request, t->c, &t->err)) {
    case BODY_SENT:
        break;
    case BODY_LOST:
        return lost(t, why);
    case BODY_CORRUPT:
        give_up_on_file(t);
        return TRANSACTION_DONE;
    }
    return end_of_data(t) ? TRANSACTION_DONE : lost(t, why);
}

enum transaction_end transaction_run(struct delivery *d, struct connection *c, struct outcome *why)
{
    struct talk t = {.d = d, .c = c, .arena = d->request->arena, .settings = d->settings, .probe = probe_of(d)};
    size_t accepted = 0;
    bool go = false;

    if (is_unfit(&t))
        return TRANSACTION_DONE;
    if (!xforward_say(c, &d->request->wire, t.arena, &t.phase, &t.err) || !envelope(&t, &go, &accepted))
        return lost(&t, why);
    if (!go) {
        reset(&t);
        return TRANSACTION_DONE;
    }
    if (t.probe == PROBE_DATA) {
        c->broken = true; /* it waits for content that will not come */
        return TRANSACTION_DONE;
    }
    if (accepted == 0)
        return nothing_to_say(&t) ? TRANSACTION_DONE : lost(&t, why);
    return send_content(&t, why);
}
