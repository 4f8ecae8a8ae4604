/* BDAT: content in chunks whose size is told before.  RFC 3030.
 *
 * A chunk is always read to its end, taken or not, since the client may have sent it before it hears the answer.  After one
 * that was refused the rest of the message is thrown away. */
#include <stdio.h>

#include "mail/events/events.h"
#include "mail/smtp/command.h"
#include "receive/smtpd/session.h"

enum { PIECE_BYTES = 4096 };

/* Bytes of a chunk into lines. */
static void split_lines(struct session *s, struct intake *in, slice bytes)
{
    size_t limit = (size_t)s->world->params->line_length_limit;

    while (bytes.n > 0) {
        size_t lf = slice_find(bytes, '\n'), n = lf == SLICE_NONE ? bytes.n : lf;
        bool ends = lf != SLICE_NONE;

        if (in->rest.n + n > limit) {
            n = limit - in->rest.n;
            ends = false;
        }
        (void)buf_add(&in->rest, slice_head(bytes, n));
        bytes = slice_skip(bytes, ends ? n + 1 : n);
        if (ends && !(in->rest.n > 0 ? in->rest.p[in->rest.n - 1] == '\r' : in->ended_in_cr))
            s->saw_bare_newline = in->bare = true;
        if (!ends && in->rest.n < limit)
            return;
        in->ended_in_cr = !ends && in->rest.n > 0 && in->rest.p[in->rest.n - 1] == '\r';
        content_store(s, in, ends ? content_line(buf_slice(&in->rest)) : buf_slice(&in->rest), ends);
        buf_clear(&in->rest);
    }
}

/* IN NULL: thrown away. */
static bool read_chunk(struct session *s, struct intake *in, int64_t bytes)
{
    struct intake nothing, *clock = in != NULL ? in : &nothing;

    content_begin_request(s, clock);
    while (bytes > 0) {
        struct err err;
        slice piece;
        enum stream_got got = stream_read_some(s->stream, bytes < PIECE_BYTES ? (size_t)bytes : PIECE_BYTES,
                                               content_by(s, clock), &piece, &err);

        if (got == STREAM_EOF)
            (void)err_set(&err, ERR_PEER, "closed in a chunk");
        if (got == STREAM_EOF || got == STREAM_FAILED) {
            s->data_bytes = (s->data_bytes < 0 ? 0 : s->data_bytes) + (in != NULL ? (int64_t)in->rest.n : 0);
            return content_lost(s, &err);
        }
        content_came(s, clock, piece.n);
        bytes -= (int64_t)piece.n;
        if (in != NULL)
            split_lines(s, in, piece);
    }
    return true;
}

static void end_message(struct session *s)
{
    transaction_reset(s);
    forwarded_reset(s);
}

static void give_up_message(struct session *s, bool last)
{
    if (s->t.queued)
        submit_cancel(&s->t.submission);
    s->t.queued = false;
    if (last)
        end_message(s);
    else
        s->chunking = CHUNKING_BROKEN;
}

/* REPLY is the answer to this chunk, which is not taken. */
static bool refuse_chunk(struct session *s, int64_t bytes, bool last, const char *reply)
{
    if (!read_chunk(s, NULL, bytes))
        return false;
    give_up_message(s, last);
    return session_say(s, "%s", reply);
}

static bool discard_chunk(struct session *s, int64_t bytes, bool last)
{
    char reply[100];

    (void)snprintf(reply, sizeof reply, "551 5.0.0 Discarded %lld bytes after earlier error", (long long)bytes);
    return refuse_chunk(s, bytes, last, reply);
}

/* A client that counts wrongly cannot be followed. */
static bool give_up(struct session *s, const char *reply)
{
    (void)session_say(s, "%s", reply);
    s->ended = true;
    return false;
}

static bool take_chunk(struct session *s, int64_t bytes, bool last)
{
    struct intake *in = s->t.chunks;
    char note[60];
    bool more;

    if (!read_chunk(s, in, bytes))
        return false;
    if (last && in->rest.n > 0) {
        content_store(s, in, buf_slice(&in->rest), true);
        buf_clear(&in->rest);
    }
    if (in->bare && session_bare_rule(s, "reject")) {
        (void)session_refuse_bare_newline(s, last ? "END-OF-MESSAGE" : "BDAT content", session_only_recipient(s));
        give_up_message(s, last);
        return !s->ended;
    }
    if (!last) {
        s->ok[COMMAND_BDAT]++;
        return session_say(s, "250 2.0.0 Ok: %lld bytes", (long long)bytes);
    }
    (void)snprintf(note, sizeof note, "%lld bytes ", (long long)s->data_bytes);
    more = content_end(s, in, note);
    end_message(s);
    return more;
}

static bool first_chunk(struct session *s, int64_t bytes, bool last)
{
    if (!content_begin(s)) {
        if (s->ended)
            return false;
        s->chunking = last ? CHUNKING_NONE : CHUNKING_BROKEN;
        return read_chunk(s, NULL, bytes);
    }
    s->t.chunks = ARENA_NEW(&s->message_arena, struct intake);
    if (s->t.chunks == NULL)
        return refuse_chunk(s, bytes, last, "452 4.3.1 Error: insufficient memory");
    *s->t.chunks = (struct intake){.first = true, .rest = BUF_INIT((size_t)s->world->params->line_length_limit)};
    s->chunking = CHUNKING_OPEN;
    s->data_bytes = 0;
    return take_chunk(s, bytes, last);
}

static const char *id_of(const struct session *s)
{
    return s->t.queued ? s->t.submission.queue_id : "NOQUEUE";
}

bool command_bdat(struct session *s, slice arguments)
{
    const int64_t most = s->world->params->message_size_limit;
    int64_t bytes;
    bool last;

    if (!session_offers(s, KEYWORD_CHUNKING))
        return give_up(s, "521 5.5.1 Error: command not implemented");
    if (!bdat_parse(arguments, &bytes, &last)) {
        event_warning("%s: malformed BDAT command syntax from %.*s: BDAT%.*s", id_of(s), S_ARG(s->client_label),
                      S_ARG(slice_head(arguments, 100)));
        return give_up(s, "521 5.5.4 Syntax: BDAT count [LAST]");
    }
    if (s->chunking == CHUNKING_BROKEN)
        return discard_chunk(s, bytes, last);
    if (s->t.recipients == 0)
        return refuse_chunk(s, bytes, last,
                            s->t.open ? "554 5.5.1 Error: no valid recipients" : "503 5.5.1 Error: need RCPT command");
    if (bytes == 0 && !last) {
        event_warning("%s: null BDAT request from %.*s", id_of(s), S_ARG(s->client_label));
        return refuse_chunk(s, bytes, last, "551 5.7.1 Null BDAT request");
    }
    if (most > 0 && bytes > most - (s->data_bytes < 0 ? 0 : s->data_bytes)) {
        event_warning("%s: BDAT request from %.*s exceeds message size limit", id_of(s), S_ARG(s->client_label));
        return refuse_chunk(s, bytes, last, "552 5.3.4 Chunk exceeds message size limit");
    }
    return s->chunking == CHUNKING_OPEN ? take_chunk(s, bytes, last) : first_chunk(s, bytes, last);
}
