/* DATA: content line by line, and the end of it.
 *
 * End of data.  Strict (bare newline rules apply to this client): exactly CR LF . CR LF, so the line before must have
 * ended in CR LF too.  Otherwise a line that is "." once its CRs are off ends the message, as it always has. */
#include "receive/smtpd/session.h"

enum line_kind { LINE_FAILED, LINE_END_OF_DATA, LINE_CONTENT };

/* Where a piece stands among the lines. */
struct framing {
    bool strict;
    bool at_line_start; /* the next piece begins a line */
    bool after_crlf;    /* the line before ended in CR LF */
    struct err err;
};

/* A piece of a line as it came; *WHOLE: it ends its line. */
static enum line_kind next_piece(struct session *s, struct framing *f, struct intake *in, slice *text, bool *whole)
{
    size_t limit = (size_t)s->world->params->line_length_limit;
    enum stream_got got = stream_read_text(s->stream, limit, content_by(s, in), text, &f->err);
    bool starts = f->at_line_start, was_crlf = f->after_crlf;
    slice bare;

    if (got == STREAM_FAILED || got == STREAM_EOF)
        return LINE_FAILED;
    content_came(s, in, text->n + 2);
    *whole = got != (enum stream_got)STREAM_PIECE;
    f->at_line_start = *whole;
    f->after_crlf = got == STREAM_LINE;
    if (got == STREAM_BARE_LF)
        s->saw_bare_newline = in->bare = true;
    if (!starts || text->n == 0 || text->p[0] != '.')
        return LINE_CONTENT;
    bare = *text;
    while (!f->strict && bare.n > 1 && bare.p[bare.n - 1] == '\r')
        bare.n--;
    if (*whole && bare.n == 1 && (!f->strict || (was_crlf && got == STREAM_LINE)))
        return LINE_END_OF_DATA;
    *text = slice_skip(*text, 1);
    return LINE_CONTENT;
}

static bool finish(struct session *s, const struct intake *in)
{
    if (in->bare && session_bare_rule(s, "reject")) {
        submit_cancel(&s->t.submission);
        s->data_bytes = -1;
        return session_refuse_bare_newline(s, "END-OF-MESSAGE", session_only_recipient(s));
    }
    return content_end(s, in, "");
}

static bool receive(struct session *s)
{
    const char *rule = s->world->params->smtpd_forbid_bare_newline;
    struct framing f = {
        .strict = !s->bare_newline_ok && !slice_eq_case(slice_text(rule), S("no")),
        .at_line_start = true,
        .after_crlf = true,
    };
    struct intake in = {.first = true, .mailbox = true};
    enum line_kind kind;
    slice text;
    bool whole;

    s->data_bytes = 0;
    content_begin_request(s, &in);
    stream_set_bulk(s->stream, true);
    while ((kind = next_piece(s, &f, &in, &text, &whole)) == LINE_CONTENT) {
        content_store(s, &in, whole ? content_line(text) : text, whole);
        if (f.at_line_start && f.after_crlf)
            content_store_plain(s, &in); /* each of these leaves F as it is */
    }
    stream_set_bulk(s->stream, false);
    return kind == LINE_END_OF_DATA ? finish(s, &in) : content_lost(s, &f.err);
}

bool command_data(struct session *s, slice arguments)
{
    bool more;

    if (s->chunking != CHUNKING_NONE)
        return session_say(s, "503 5.5.1 Error: DATA after BDAT");
    if (s->t.recipients == 0)
        return session_say(s,
                           s->t.open ? "554 5.5.1 Error: no valid recipients" : "503 5.5.1 Error: need RCPT command");
    if (slice_trim(arguments).n > 0)
        return session_say(s, "501 5.5.4 Syntax: DATA");
    if (!content_begin(s))
        return !s->ended;
    if (!session_say(s, "354 End data with <CR><LF>.<CR><LF>"))
        return false;
    more = receive(s);
    transaction_reset(s);
    forwarded_reset(s);
    return more;
}
