/* DATA: content line by line, and the end of it.
 *
 * End of data.  Strict (bare newline rules apply to this client): exactly CR LF . CR LF, so the line before must have
 * ended in CR LF too.  Otherwise a line that is "." once its CRs are off ends the message, as it always has. */
#include "mail/events/events.h"
#include "mail/proto/cleanup.h"
#include "receive/smtpd/session.h"

enum line_kind { LINE_FAILED, LINE_END_OF_DATA, LINE_CONTENT };

struct intake {
    bool strict;
    bool bare;          /* a line ended in LF alone */
    bool at_line_start; /* the next piece begins a line */
    bool after_crlf;    /* the line before ended in CR LF */
    bool first;         /* no content yet */
    bool too_big;
    struct err err;
};

/* A piece of a line as it came; *WHOLE: it ends its line. */
static enum line_kind next_piece(struct session *s, struct intake *in, slice *text, bool *whole)
{
    size_t limit = (size_t)s->world->params->line_length_limit;
    enum stream_got got = stream_read_text(s->stream, limit, session_by(s), text, &in->err);
    bool starts = in->at_line_start, was_crlf = in->after_crlf;
    slice bare;

    if (got == STREAM_FAILED || got == STREAM_EOF)
        return LINE_FAILED;
    *whole = got != (enum stream_got)STREAM_PIECE;
    s->data_bytes += (int64_t)text->n + (*whole ? 2 : 0);
    in->at_line_start = *whole;
    in->after_crlf = got == STREAM_LINE;
    if (got == STREAM_BARE_LF)
        s->saw_bare_newline = in->bare = true;
    if (!starts || text->n == 0 || text->p[0] != '.')
        return LINE_CONTENT;
    bare = *text;
    while (!in->strict && bare.n > 1 && bare.p[bare.n - 1] == '\r')
        bare.n--;
    if (*whole && bare.n == 1 && (!in->strict || (was_crlf && got == STREAM_LINE)))
        return LINE_END_OF_DATA;
    *text = slice_skip(*text, 1);
    return LINE_CONTENT;
}

static bool is_mailbox_line(slice text)
{
    slice rest;

    if (!slice_starts(text, S("From ")))
        return false;
    rest = slice_trim(slice_skip(text, 5));
    return rest.n == 0 || rest.p[0] != ':' || text.n > 5;
}

/* One piece into the queue.  A failure there is cleanup's to report: content is read to its end all the same. */
static bool store(struct session *s, struct intake *in, slice text, bool whole)
{
    struct submission *to = &s->t.submission;
    deadline by = task_deadline_in(s->world->params->ipc_timeout_us);
    int type = whole ? RECORD_TEXT : RECORD_LONG_TEXT;

    while (whole && text.n > 0 && text.p[text.n - 1] == '\r')
        text.n--;
    if (in->first) {
        in->first = false;
        if (is_mailbox_line(text))
            return submit_recordf(to, by, &in->err, type, "X-Mailbox-Line: %.*s", S_ARG(text));
        if (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t') &&
            !submit_record(to, RECORD_TEXT, S(""), by, &in->err))
            return false;
    }
    return submit_record(to, type, text, by, &in->err);
}

static enum line_kind take_content(struct session *s, struct intake *in)
{
    int64_t most = s->world->params->message_size_limit;
    enum line_kind kind;
    slice text;
    bool whole, broken = false;

    while ((kind = next_piece(s, in, &text, &whole)) == LINE_CONTENT) {
        if (most > 0 && s->data_bytes > most)
            in->too_big = true;
        s->t.content_bytes += (int64_t)text.n + (whole ? 2 : 0);
        if (!in->too_big && !broken && !store(s, in, text, whole))
            broken = true;
    }
    if (broken)
        s->t.submission.broken = true;
    return kind;
}

static bool conclude(struct session *s, int64_t status, slice reason)
{
    struct dsn_code dsn = {5, 7, 1};
    struct cleanup_reply reply;

    s->data_bytes = -1;
    if (status == CLEANUP_OK) {
        s->ok[COMMAND_DATA]++;
        s->errors = s->junk = 0;
        return session_say(s, "250 2.0.0 Ok: queued as %s", s->t.submission.queue_id);
    }
    reply = cleanup_reply_of(status);
    if ((status & (CLEANUP_CONTENT | CLEANUP_TEMPORARY)) != 0 && reason.n > 0) { /* which begins with a status of its own */
        bool coded = cut_dsn_code(&reason, &dsn);

        return session_say(s, "%d %d.%d.%d %.*s", dsn.class == 4 ? 451 : 550, dsn.class, dsn.subject, dsn.detail,
                           S_ARG(coded ? slice_trim(reason) : reason));
    }
    return session_say(s, "%d %s %s", reply.code, reply.dsn, reply.text);
}

static bool finish(struct session *s, struct intake *in)
{
    deadline by = deadline_in(s->world->params->ipc_timeout_us);
    struct submission *to = &s->t.submission;
    int64_t status = CLEANUP_WRITE;
    slice reason = S("");
    struct err err;

    if (in->bare && session_bare_rule(s, "reject")) {
        submit_cancel(to);
        s->data_bytes = -1;
        return session_refuse_bare_newline(s, "END-OF-MESSAGE",
                                           s->t.recipients == 1 ? s->t.first_recipient : (slice){0});
    }
    if (in->too_big) {
        submit_cancel(to);
        return conclude(s, CLEANUP_SIZE, reason);
    }
    if (!check_data(s, POLICY_END_OF_DATA, "END-OF-MESSAGE")) {
        submit_cancel(to);
        s->data_bytes = -1;
        return !s->ended;
    }
    if (!envelope_end(s, &err) || !submit_finish(to, &s->message_arena, by, &status, &reason, &err))
        event_warning("%s: %s", to->queue_id, err.text);
    return conclude(s, status, reason);
}

static bool receive(struct session *s)
{
    const char *rule = s->world->params->smtpd_forbid_bare_newline;
    bool applies = !s->bare_newline_ok && !slice_eq_case(slice_text(rule), S("no"));
    struct intake in = {
        .strict = applies,
        .at_line_start = true,
        .after_crlf = true,
        .first = true,
    };

    s->data_bytes = 0;
    switch (take_content(s, &in)) {
    case LINE_END_OF_DATA:
        return finish(s, &in);
    default:
        if (in.err.kind == ERR_TIMEOUT) {
            session_log_lost(s, "timeout");
            s->data_bytes = -1;
            (void)session_say(s, "421 4.4.2 %s Error: timeout exceeded", s->world->params->myhostname);
        } else {
            session_log_lost(s, "lost connection");
        }
        s->ended = true;
        return false;
    }
}

bool command_data(struct session *s, slice arguments)
{
    struct err err;
    bool more;

    if (s->t.recipients == 0)
        return session_say(s,
                           s->t.open ? "554 5.5.1 Error: no valid recipients" : "503 5.5.1 Error: need RCPT command");
    if (slice_trim(arguments).n > 0)
        return session_say(s, "501 5.5.4 Syntax: DATA");
    if (!check_data(s, POLICY_DATA, "DATA"))
        return !s->ended;
    if (!envelope_content(s, &err)) {
        event_warning("%s: %s", s->t.submission.queue_id, err.text);
        transaction_reset(s);
        return session_say(s, "451 4.3.0 Error: queue file write error");
    }
    if (!session_say(s, "354 End data with <CR><LF>.<CR><LF>"))
        return false;
    more = receive(s);
    transaction_reset(s);
    return more;
}
