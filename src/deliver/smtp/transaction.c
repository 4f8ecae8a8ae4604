#include "deliver/smtp/transaction.h"

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/syntax/address.h"

enum { REASON_SIZE_MOST = 200 };

void delivery_settle(struct delivery *d, size_t i, const struct outcome *o)
{
    agent_report(d->request, i, o);
    if (d->progress[i] == RCPT_TODO)
        d->todo--;
    d->progress[i] = RCPT_SETTLED;
}

/* What this server said of recipient I.  A temporary "no" waits for the next server, when there is one. */
static void answer_recipient(struct delivery *d, size_t i, const struct outcome *o)
{
    if (o->kind == OUTCOME_DEFERRED && !d->last_server) {
        event_info("%.*s: %.*s", S_ARG(d->request->wire.queue_id), S_ARG(o->reason));
        if (d->progress[i] == RCPT_ACCEPTED)
            d->todo++;
        d->progress[i] = RCPT_TODO;
        d->soft[i] = *o;
        return;
    }
    if (d->progress[i] == RCPT_ACCEPTED) {
        d->progress[i] = RCPT_SETTLED;
        agent_report(d->request, i, o);
        return;
    }
    delivery_settle(d, i, o);
}

static void answer_all(struct delivery *d, enum progress which, const struct outcome *o)
{
    for (size_t i = 0; i < d->request->recipient_count; i++)
        if (d->progress[i] == which)
            answer_recipient(d, i, o);
}

/* The dialogue in progress: what has been sent and what still wants an answer. */
struct talk {
    struct delivery *d;
    struct connection *c;
    struct arena *arena;
    enum phase phase;
    bool answered; /* any reply at all */
    struct err err;
};

static bool hear(struct talk *t, int64_t timeout_us, struct reply *reply)
{
    if (!reply_read(t->c->stream, t->arena, deadline_in(timeout_us), reply, &t->err))
        return false;
    t->answered = true;
    return true;
}

static bool say_mail(struct talk *t)
{
    const struct delivery_request *w = &t->d->request->wire;
    AUTO_BUF struct buf line = BUF_INIT(4096);

    (void)buf_add(&line, S("MAIL FROM:<"));
    (void)address_quote(w->sender, &line);
    (void)buf_add_char(&line, '>');
    if ((t->c->features & HAS_SIZE) && t->c->size_limit > 0)
        (void)buf_addf(&line, " SIZE=%lld", (long long)w->size);
    if ((t->c->features & HAS_8BITMIME) && w->encoding.n > 0)
        (void)buf_add(&line, slice_eq_case(w->encoding, S("8bit")) ? S(" BODY=8BITMIME") : S(" BODY=7BIT"));
    (void)buf_add(&line, S("\r\n"));
    return stream_write(t->c->stream, buf_slice(&line), deadline_in(t->d->params->smtp_mail_timeout_us), &t->err);
}

static bool say_rcpt(struct talk *t, size_t i)
{
    AUTO_BUF struct buf line = BUF_INIT(4096);

    (void)buf_add(&line, S("RCPT TO:<"));
    (void)address_quote(t->d->request->recipients[i].address, &line);
    (void)buf_add(&line, S(">\r\n"));
    return stream_write(t->c->stream, buf_slice(&line), deadline_in(t->d->params->smtp_rcpt_timeout_us), &t->err);
}

static bool say_data(struct talk *t)
{
    return stream_write(t->c->stream, S("DATA\r\n"), deadline_in(t->d->params->smtp_data_init_timeout_us), &t->err);
}

/* Answers to MAIL and RCPT.  *ACCEPTED counts recipients taken; *REFUSED: MAIL itself was. */
static bool hear_mail(struct talk *t, bool *refused)
{
    struct reply reply;

    t->phase = PHASE_MAIL;
    if (!hear(t, t->d->params->smtp_mail_timeout_us, &reply))
        return false;
    *refused = reply.code / 100 != 2;
    if (*refused) {
        struct outcome o = outcome_said(t->c, &reply, "MAIL FROM", t->arena);

        answer_all(t->d, RCPT_TODO, &o);
    }
    return true;
}

static bool hear_rcpt(struct talk *t, size_t i, bool mail_refused, size_t *accepted)
{
    struct reply reply;
    struct outcome o;

    t->phase = PHASE_RCPT;
    if (!hear(t, t->d->params->smtp_rcpt_timeout_us, &reply))
        return false;
    if (mail_refused)
        return true; /* settled with MAIL's answer */
    if (reply.code / 100 == 2) {
        t->d->progress[i] = RCPT_ACCEPTED;
        t->d->todo--;
        ++*accepted;
        return true;
    }
    o = outcome_said(t->c, &reply, "RCPT TO", t->arena);
    answer_recipient(t->d, i, &o);
    return true;
}

/* The envelope: with PIPELINING in one go, else step by step.  *SENT marks who was offered. */
static bool envelope(struct talk *t, bool *go, size_t *accepted)
{
    struct agent_request *r = t->d->request;
    bool pipelining = (t->c->features & HAS_PIPELINING) != 0, refused = false;
    bool *offered = arena_alloc_array(t->arena, r->recipient_count, sizeof *offered);
    struct reply reply;

    if (offered == NULL)
        return err_set(&t->err, ERR_LIMIT, "no memory for a delivery");
    t->phase = PHASE_MAIL;
    if (!say_mail(t) || (!pipelining && !hear_mail(t, &refused)))
        return false;
    for (size_t i = 0; i < r->recipient_count && !refused; i++) {
        offered[i] = t->d->progress[i] == RCPT_TODO;
        t->phase = PHASE_RCPT;
        if (offered[i] && (!say_rcpt(t, i) || (!pipelining && !hear_rcpt(t, i, refused, accepted))))
            return false;
    }
    if (pipelining) {
        if (!say_data(t) || !hear_mail(t, &refused))
            return false;
        for (size_t i = 0; i < r->recipient_count; i++)
            if (offered[i] && !hear_rcpt(t, i, refused, accepted))
                return false;
    } else if (*accepted > 0 && !say_data(t)) {
        return false;
    }
    *go = false;
    if (!pipelining && *accepted == 0)
        return true;
    t->phase = PHASE_DATA;
    if (!hear(t, t->d->params->smtp_data_init_timeout_us, &reply))
        return false;
    *go = reply.code / 100 == 3;
    if (!*go && *accepted > 0) {
        struct outcome o = outcome_said(t->c, &reply, "DATA", t->arena);

        if (reply.code / 100 == 2)
            o.reason = arena_format(t->arena, o.reason, "Protocol error: %.*s", S_ARG(o.reason));
        answer_all(t->d, RCPT_ACCEPTED, &o);
    }
    return true;
}

/* One piece of content on the wire: dots doubled at line starts, lines folded at smtp_line_length_limit. */
struct wire_line {
    bool at_start;
    size_t column;
    bool warned;
};

static bool put_text(struct talk *t, struct wire_line *line, slice text, bool ends)
{
    size_t most = t->d->params->smtp_line_length_limit > 0 ? (size_t)t->d->params->smtp_line_length_limit : SIZE_MAX;
    deadline by = deadline_in(t->d->params->smtp_data_xfer_timeout_us);
    struct stream *s = t->c->stream;

    if (line->at_start && text.n > 0 && text.p[0] == '.' && !stream_write(s, S("."), by, &t->err))
        return false;
    while (text.n > 0) {
        slice piece = slice_head(text, most - line->column);

        if (!stream_write(s, piece, by, &t->err))
            return false;
        line->at_start = false;
        line->column += piece.n;
        text = slice_skip(text, piece.n);
        if (line->column < most || (text.n == 0 && ends))
            continue;
        if (!line->warned)
            event_info("%.*s: breaking line > %zu bytes with <CR><LF>SPACE", S_ARG(t->d->request->wire.queue_id), most);
        line->warned = true;
        if (!stream_write(s, S("\r\n "), by, &t->err))
            return false;
        line->column = 1;
    }
    if (!ends)
        return true;
    line->at_start = true;
    line->column = 0;
    return stream_write(s, S("\r\n"), by, &t->err);
}

/* False: the connection broke, or *CORRUPT: the queue file cannot be read. */
static bool content(struct talk *t, bool *corrupt)
{
    AUTO_QUEUE_READER struct queue_reader *reader = agent_content(t->d->request, &t->err);
    struct wire_line line = {.at_start = true};
    enum record_got got;
    slice text;
    bool ends;

    t->phase = PHASE_BODY;
    *corrupt = reader == NULL;
    if (reader == NULL)
        return false;
    while ((got = queue_reader_text(reader, &text, &ends, &t->err)) == RECORD_READ)
        if (!put_text(t, &line, text, ends))
            return false;
    *corrupt = got == RECORD_BAD;
    if (*corrupt)
        return false;
    return line.at_start || stream_write(t->c->stream, S("\r\n"), deadline_in(t->d->params->smtp_data_xfer_timeout_us), &t->err);
}

/* The dot, and what the server makes of the message. */
static bool end_of_data(struct talk *t)
{
    const struct params *p = t->d->params;
    struct outcome o;
    struct reply reply;

    if (!stream_write(t->c->stream, S(".\r\n"), deadline_in(p->smtp_data_xfer_timeout_us), &t->err) ||
        (!t->d->keep && !stream_write(t->c->stream, S("QUIT\r\n"), deadline_in(p->smtp_data_xfer_timeout_us), &t->err)) ||
        !stream_flush(t->c->stream, deadline_in(p->smtp_data_xfer_timeout_us), &t->err))
        return false;
    t->phase = PHASE_DONE;
    if (!hear(t, p->smtp_data_done_timeout_us, &reply))
        return false;
    o = outcome_said(t->c, &reply, "end of DATA", t->arena);
    if (reply.code / 100 == 2) {
        o.kind = OUTCOME_DELIVERED;
        o.dsn = reply.dsn;
        o.reason = o.diag_text;
        o.action = S("relayed");
        o.diag_type = o.diag_text = o.mta_type = o.mta_name = S("");
    }
    answer_all(t->d, RCPT_ACCEPTED, &o);
    return true;
}

/* Everybody was refused, yet the server waits for content: RFC 2920 3.1 has the client send the dot alone. */
static bool nothing_to_say(struct talk *t)
{
    struct reply reply;

    return stream_write(t->c->stream, S(".\r\n"), deadline_in(t->d->params->smtp_data_xfer_timeout_us), &t->err) &&
           hear(t, t->d->params->smtp_data_done_timeout_us, &reply);
}

static enum transaction_end lost(struct talk *t, struct outcome *why)
{
    t->c->broken = true;
    for (size_t i = 0; i < t->d->request->recipient_count; i++)
        if (t->d->progress[i] == RCPT_ACCEPTED) {
            t->d->progress[i] = RCPT_TODO;
            t->d->todo++;
        }
    *why = outcome_lost(t->c, t->phase, &t->err, t->arena);
    return t->answered ? TRANSACTION_LOST : TRANSACTION_LOST_EARLY;
}

static bool too_large(struct talk *t)
{
    const struct delivery_request *w = &t->d->request->wire;
    slice reason = S("message size exceeds the server's limit"), relay = S("none");
    struct outcome o;

    if (t->c->size_limit == 0 || w->size <= t->c->size_limit)
        return false;
    reason = arena_format(t->arena, reason, "message size %lld exceeds size limit %lld of server %s", (long long)w->size,
                       (long long)t->c->size_limit, t->c->label);
    relay = arena_keep(t->arena, slice_text(t->c->relay), relay);
    o = (struct outcome){.kind = OUTCOME_BOUNCED, .dsn = {5, 3, 4}, .reason = reason, .relay = relay};
    answer_all(t->d, RCPT_TODO, &o);
    return true;
}

enum transaction_end transaction_run(struct delivery *d, struct connection *c, struct outcome *why)
{
    struct talk t = {.d = d, .c = c, .arena = d->request->arena};
    size_t accepted = 0;
    bool go = false, corrupt = false;

    if (too_large(&t))
        return TRANSACTION_DONE;
    if (!envelope(&t, &go, &accepted))
        return lost(&t, why);
    if (go && accepted == 0)
        return nothing_to_say(&t) ? TRANSACTION_DONE : lost(&t, why);
    if (!go) {
        c->broken = c->broken || accepted > 0; /* an open transaction is left behind */
        return TRANSACTION_DONE;
    }
    if (!content(&t, &corrupt)) {
        c->broken = true; /* closing without the dot: the server drops what it has */
        if (!corrupt)
            return lost(&t, why);
        agent_corrupt(d->request, &t.err);
        for (size_t i = 0; i < d->request->recipient_count; i++)
            d->progress[i] = RCPT_SETTLED;
        d->todo = 0;
        return TRANSACTION_DONE;
    }
    if (!end_of_data(&t))
        return lost(&t, why);
    c->broken = c->broken || !d->keep;
    return TRANSACTION_DONE;
}
