#include "receive/smtpd/session.h"

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/service/service.h"

enum { SESSION_BYTES = 64 * 1024, MESSAGE_BYTES = 1024 * 1024 };

static bool hello(struct session *s, slice arguments, bool esmtp)
{
    slice name = slice_trim(arguments);

    if (name.n == 0)
        return session_say(s, "501 Syntax: %s hostname", esmtp ? "EHLO" : "HELO");
    transaction_reset(s);
    s->is_esmtp = esmtp;
    if (!arena_copy(&s->arena, slice_head(name, 512), &s->helo))
        return session_say(s, "452 4.3.1 Error: insufficient memory");
    if (!check_helo(s)) {
        s->helo = (slice){0};
        return !s->ended;
    }
    s->ok[esmtp ? COMMAND_EHLO : COMMAND_HELO]++;
    return true;
}

static bool command_helo(struct session *s, slice arguments)
{
    unsigned ok = s->ok[COMMAND_HELO];

    if (!hello(s, arguments, false) || s->ok[COMMAND_HELO] == ok)
        return !s->ended;
    return session_say(s, "250 %s", s->world->params->myhostname);
}

static bool offered(const struct session *s, slice keyword)
{
    slice list = slice_text(s->world->params->smtpd_discard_ehlo_keywords), word;

    while (cut_word(&list, ", \t\r\n", &word))
        if (slice_eq_case(word, keyword))
            return false;
    return true;
}

/* What EHLO offers, in the order the field knows. */
static bool command_ehlo(struct session *s, slice arguments)
{
    static const char *const plain[] = {"ENHANCEDSTATUSCODES", "8BITMIME"};
    const struct params *c = s->world->params;
    unsigned ok = s->ok[COMMAND_EHLO];
    slice lines[8];
    size_t count = 0;
    char size[40];

    if (!hello(s, arguments, true) || s->ok[COMMAND_EHLO] == ok)
        return !s->ended;
    if (offered(s, S("pipelining")))
        lines[count++] = S("PIPELINING");
    (void)snprintf(size, sizeof size, c->message_size_limit > 0 ? "SIZE %lld" : "SIZE", (long long)c->message_size_limit);
    if (offered(s, S("size")))
        lines[count++] = slice_text(size);
    if (!c->disable_vrfy_command && offered(s, S("vrfy")))
        lines[count++] = S("VRFY");
    for (size_t i = 0; i < COUNT_OF(plain); i++)
        if (offered(s, slice_text(plain[i])))
            lines[count++] = slice_text(plain[i]);
    if (!session_say(s, "250%c%s", count > 0 ? '-' : ' ', c->myhostname))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!session_say(s, "250%c%.*s", i + 1 < count ? '-' : ' ', S_ARG(lines[i])))
            return false;
    return true;
}

static bool command_rset(struct session *s, slice arguments)
{
    if (slice_trim(arguments).n > 0)
        return session_say(s, "501 5.5.4 Syntax: RSET");
    transaction_reset(s);
    s->ok[COMMAND_RSET]++;
    return session_say(s, "250 2.0.0 Ok");
}

static bool command_noop(struct session *s, slice arguments)
{
    (void)arguments;
    s->junk++;
    s->ok[COMMAND_NOOP]++;
    return session_say(s, "250 2.0.0 Ok");
}

static bool command_quit(struct session *s, slice arguments)
{
    (void)arguments;
    s->ok[COMMAND_QUIT]++;
    transaction_reset(s);
    (void)session_say(s, "221 2.0.0 Bye");
    s->ended = true;
    return false;
}

#define COMMAND_ROW(word, name) {S_INIT(#word), command_##name},
static const struct {
    slice word;
    bool (*run)(struct session *s, slice arguments);
} commands[] = {SMTPD_COMMANDS(COMMAND_ROW)};

/* Clients that are no mail clients: smtpd_forbidden_commands, or a header line where a command should be. */
static bool is_foreign(const struct session *s, slice word, slice line)
{
    slice list = slice_text(s->world->params->smtpd_forbidden_commands), item;
    size_t colon = slice_find(word, ':');

    while (cut_word(&list, ", \t\r\n", &item))
        if (slice_eq_case(item, word))
            return true;
    return colon != SLICE_NONE && colon > 0 && colon + 1 == word.n && line.n > 0;
}

static bool dispatch(struct session *s, slice line)
{
    slice rest = line, word = S("");

    (void)cut_word(&rest, " \t", &word);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (slice_eq_case(word, commands[i].word)) {
            s->where = (enum command)i;
            s->total[i]++;
            return commands[i].run(s, rest);
        }
    }
    s->where = COMMAND_UNKNOWN;
    s->total[COMMAND_UNKNOWN]++;
    if (is_foreign(s, word, line)) {
        event_warning("non-SMTP command from %.*s: %.*s", S_ARG(s->client_label), S_ARG(slice_head(line, 100)));
        (void)session_say(s, "221 2.7.0 Error: I can break rules, too. Goodbye.");
        s->ended = true;
        return false;
    }
    return word.n == 0 ? session_say(s, "500 5.5.2 Error: bad syntax") : session_say(s, "500 5.5.2 Error: command not recognized");
}

/* After too many errors: slower, then the end. */
static bool punish(struct session *s, unsigned errors_before)
{
    const struct params *c = s->world->params;
    struct err err;

    if (s->errors >= (unsigned)c->smtpd_hard_error_limit ||
        (c->smtpd_junk_command_limit > 0 && s->junk > (unsigned)c->smtpd_junk_command_limit)) {
        session_log_lost(s, "too many errors");
        (void)session_say(s, "421 4.7.0 %s Error: too many errors", c->myhostname);
        return false;
    }
    if (s->errors > errors_before && s->errors > (unsigned)c->smtpd_soft_error_limit)
        return task_sleep(deadline_in(c->smtpd_error_sleep_time_us), &err);
    return true;
}

/* False: the session is over. */
static bool one_command(struct session *s)
{
    unsigned errors = s->errors;
    struct err err;
    slice line;

    switch (stream_read_line(s->stream, (size_t)s->world->params->line_length_limit, session_by(s), &line, &err)) {
    case STREAM_LINE:
    case STREAM_BARE_LF:
        break;
    case STREAM_TOO_LONG:
        s->where = COMMAND_UNKNOWN;
        s->total[COMMAND_UNKNOWN]++;
        return session_say(s, "500 5.5.2 Error: line too long") && punish(s, errors);
    case STREAM_FAILED:
        if (err.kind == ERR_TIMEOUT) {
            session_log_lost(s, "timeout");
            (void)session_say(s, "421 4.4.2 %s Error: timeout exceeded", s->world->params->myhostname);
            return false;
        }
        if (err.kind == ERR_CANCELLED) {
            (void)session_say(s, "421 4.3.2 %s Service shutting down", s->world->params->myhostname);
            return false;
        }
        /* fall through */
    default:
        session_log_lost(s, "lost connection");
        return false;
    }
    s->before_command = false;
    if (slice_has_nul(line))
        return session_say(s, "500 5.5.2 Error: bad syntax") && punish(s, errors);
    if (s->junk > 0 && s->where == COMMAND_DATA)
        s->junk = 0;
    return dispatch(s, slice_trim_end(line)) && punish(s, errors);
}

static void session_done(struct session *s)
{
    transaction_reset(s);
    arena_done(&s->message_arena);
    arena_done(&s->arena);
}

void session_run(const struct smtpd_world *world, struct stream *stream)
{
    CLEANUP(session_done) struct session s = {
        .world = world,
        .stream = stream,
        .arena = ARENA_INIT(SESSION_BYTES),
        .message_arena = ARENA_INIT(MESSAGE_BYTES),
        .before_command = true,
        .data_bytes = -1,
    };
    struct err err;

    peer_identify(&s);
    event_info("connect from %.*s", S_ARG(s.client_label));
    if (check_client(&s) && session_say(&s, "220 %.*s", S_ARG(world->banner)))
        while (one_command(&s))
            if (service_is_draining() && !s.t.open && stream_buffered(stream) == 0) {
                (void)session_say(&s, "421 4.3.2 %s Service shutting down", world->params->myhostname);
                break;
            }
    s.ended = true;
    session_log_disconnect(&s);
    if (!stream_flush(stream, session_by(&s), &err))
        return; /* the client has left without its last words */
}
