#include "receive/smtpd/session.h"

#include "mail/events/events.h"
#include "mail/service/service.h"

enum { SESSION_BYTES = 64 * 1024, MESSAGE_BYTES = 1024 * 1024, LONG_SHOWN = 30 };
/* How long a session that has no message may go on with what it does when the mail system is stopped. */
#define OTHERS_US SECONDS(1)

/* After too many errors: slower, then the end. */
static bool punish(struct session *s, unsigned errors_before)
{
    const struct params *c = service_params_now();
    struct err err;

    if (s->errors > errors_before && s->errors > (unsigned)c->smtpd_soft_error_limit &&
        !task_sleep(deadline_in(c->smtpd_error_sleep_time_us), &err))
        return false;
    if (s->errors < (unsigned)c->smtpd_hard_error_limit)
        return true;
    session_log_lost(s, "too many errors");
    s->blame = NOTICE_PROTOCOL;
    (void)session_say(s, "421 4.7.0 %s Error: too many errors", c->myhostname);
    return false;
}

static bool in_message(const struct session *s)
{
    return s->t.open || s->chunking != CHUNKING_NONE;
}

static void say_shutting_down(struct session *s)
{
    (void)session_say(s, "421 4.3.2 %s Service shutting down", s->world->params->myhostname);
}

bool session_read_failed(struct session *s, const struct err *err)
{
    bool shutting_down = err->kind == ERR_CANCELLED || service_is_stopping();

    if (err->kind != ERR_TIMEOUT && err->kind != ERR_CANCELLED) {
        session_log_lost(s, "lost connection");
        return false;
    }
    if (!shutting_down || in_message(s))
        session_log_lost(s, "timeout");
    if (shutting_down)
        say_shutting_down(s);
    else
        (void)session_say(s, "421 4.4.2 %s Error: timeout exceeded", s->world->params->myhostname);
    return false;
}

/* Of a line that is too long counts what is allowed; the rest is read and thrown away. */
static enum stream_got cut_line(struct session *s, struct buf *room, slice *line, struct err *err)
{
    size_t most = (size_t)s->world->params->line_length_limit;
    deadline by = session_by(s);
    enum stream_got got;
    slice rest;

    event_warning("%.*s: request longer than %zu: %.*s...", S_ARG(s->client_label), most,
                  S_ARG(slice_head(*line, LONG_SHOWN)));
    (void)buf_add(room, *line);
    do
        got = stream_read_text(s->stream, most, by, &rest, err);
    while (got == (enum stream_got)STREAM_PIECE);
    *line = buf_slice(room);
    return got;
}

/* ROOM is for a line that is not the stream's.  False: the session is over. */
static bool read_command(struct session *s, struct buf *room, slice *line, bool *bare)
{
    size_t most = (size_t)s->world->params->line_length_limit;
    struct err err;
    enum stream_got got;

    s->is_at_rest = !in_message(s);
    got = stream_read_text(s->stream, most, session_by(s), line, &err);
    s->is_at_rest = false;
    if (got == (enum stream_got)STREAM_PIECE)
        got = cut_line(s, room, line, &err);
    if (got == STREAM_EOF && s->after_message)
        return false; /* it has got rid of what it came for */
    if (got == STREAM_EOF)
        (void)err_set(&err, ERR_PEER, "closed");
    if (got == STREAM_EOF || got == STREAM_FAILED)
        return session_read_failed(s, &err);
    *bare = got == STREAM_BARE_LF;
    s->saw_bare_newline = s->saw_bare_newline || *bare;
    return true;
}

/* False: the session is over. */
static bool run_line(struct session *s, slice line, bool bare)
{
    if (bare && session_bare_rule(s, "reject")) {
        (void)session_refuse_bare_newline(s, s->before_command ? "CONNECT" : session_command_word(s->where), (slice){0});
        s->ended = true;
        return false;
    }
    s->before_command = false;
    transcript_add(&s->transcript, true, line);
    return session_dispatch(s, line);
}

/* False: the session is over. */
static bool one_command(struct session *s)
{
    AUTO_BUF struct buf room = BUF_INIT((size_t)s->world->params->line_length_limit + 1);
    unsigned errors = s->errors;
    slice line;
    bool bare;

    return read_command(s, &room, &line, &bare) && run_line(s, line, bare) && punish(s, errors);
}

static void converse(struct session *s)
{
    while (!service_is_stopping() || in_message(s)) {
        if (!one_command(s))
            return;
        if (service_is_draining() && !in_message(s) && stream_buffered(s->stream) == 0)
            break;
    }
    say_shutting_down(s);
}

/* ---- all sessions ---- */

static struct list all = {&all, &all};

/* What they wait for, other than their clients, is no message's. */
static void cancel_idle(void *unused)
{
    (void)unused;
    LIST_EACH(at, &all)
    {
        struct session *s = LIST_ENTRY(at, struct session, in_process);

        if (!in_message(s) && !s->ended)
            task_cancel(s->task);
    }
}

void sessions_stopping(void)
{
    static struct timer patience;

    LIST_EACH(at, &all)
    {
        struct session *s = LIST_ENTRY(at, struct session, in_process);

        task_hurry(s->task, stream_fd(s->stream), s->is_at_rest ? AT_ONCE : session_by(s));
    }
    timer_set(&patience, deadline_in(OTHERS_US), cancel_idle, NULL);
}

static void session_done(struct session *s)
{
    list_remove(&s->in_process);
    transaction_reset(s);
    transcript_done(&s->transcript);
    arena_done(&s->message_arena);
    arena_done(&s->forwarded_arena);
    arena_done(&s->identity_arena);
    arena_done(&s->arena);
}

static void tell_postmaster(struct session *s)
{
    char why[100] = "";
    const struct transcript_notice notice = {.who = "SMTP server", .peer = s->client_label, .after = why};
    struct err err;

    if (s->aborted != NULL)
        (void)snprintf(why, sizeof why, "Session aborted, reason: %s", s->aborted);

    if (!transcript_send(&s->transcript, &notice, deadline_in(s->world->params->ipc_timeout_us), &err))
        event_warning("notice to the postmaster about %.*s: %s", S_ARG(s->client_label), err.text);
}

/* Not inlined, so that a session that waits for a command has no room for this on its stack, which fits in one page. */
static NOINLINE void say_goodbye(struct session *s)
{
    struct err err;

    s->ended = true;
    limits_disconnect(s);
    session_log_disconnect(s);
    if (!stream_flush(s->stream, session_by(s), &err))
        s->ended = true; /* the client has left without its last words */
    tell_postmaster(s);
}

void session_run(const struct smtpd_world *world, struct stream *stream)
{
    CLEANUP(session_done)
    struct session s = {
        .world = world,
        .stream = stream,
        .arena = ARENA_INIT(SESSION_BYTES),
        .identity_arena = ARENA_INIT(SESSION_BYTES),
        .message_arena = ARENA_INIT(MESSAGE_BYTES),
        .forwarded_arena = ARENA_INIT(SESSION_BYTES),
        .before_command = true,
        .data_bytes = -1,
        .task = task_self(),
    };

    list_push_back(&all, &s.in_process);
    transcript_init(&s.transcript, transcript_classes(world->params));
    peer_identify(&s);
    event_info("connect from %.*s", S_ARG(s.client_label));
    s.ended = !limits_connect(&s) || !session_note_early_talk(&s);
    s.denied = !s.ended && !check_client(&s, "CONNECT");
    if (!s.ended && (s.denied || service_is_stopping() || session_say(&s, "220 %.*s", S_ARG(world->banner))))
        converse(&s);
    say_goodbye(&s);
}
