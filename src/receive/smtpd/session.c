#include "receive/smtpd/session.h"

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/service/service.h"

enum { SESSION_BYTES = 64 * 1024, MESSAGE_BYTES = 1024 * 1024 };

/* The name stands in log lines and replies, and is asked for in tables: what would confuse their readers goes. */
static void mask_specials(slice name)
{
    char *at = (char *)(uintptr_t)name.p; /* a copy of ours */

    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)at[i] <= ' ' || at[i] == 127 || strchr("\"();<>?@\\", at[i]) != NULL)
            at[i] = '?';
}

static bool hello(struct session *s, slice arguments, bool esmtp)
{
    slice name = slice_trim(arguments);

    if (name.n == 0)
        return session_say(s, "501 Syntax: %s hostname", esmtp ? "EHLO" : "HELO");
    if (!arena_copy(&s->arena, slice_head(name, 512), &name))
        return session_say(s, "452 4.3.1 Error: insufficient memory");
    mask_specials(name);
    if (!check_helo(s, name))
        return !s->ended;
    transaction_reset(s);
    s->is_esmtp = esmtp;
    s->helo = name;
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
    (void)snprintf(size, sizeof size, c->message_size_limit > 0 ? "SIZE %lld" : "SIZE",
                   (long long)c->message_size_limit);
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
    s->junk++;
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
    size_t colon = slice_find(word, ':');

    if (word.n > 0 && policy_forbids_command(s->world->policy, word, session_by(s)))
        return true;
    return colon != SLICE_NONE && colon > 0 && colon + 1 == word.n && line.n > 0;
}

static bool is_ignored(const struct session *s, slice word)
{
    slice list = slice_text(s->world->params->smtpd_noop_commands), item;

    while (cut_word(&list, ", \t\r\n", &item))
        if (slice_eq_case(item, word))
            return true;
    return false;
}

/* RFC 2920: behind these a client waits for the reply; without ESMTP, behind any command.  What comes behind QUIT is
 * never read. */
static bool must_wait(const struct session *s, enum command command)
{
    switch (command) {
    case COMMAND_EHLO:
    case COMMAND_DATA:
    case COMMAND_VRFY:
    case COMMAND_NOOP:
        return true;
    case COMMAND_QUIT:
        return false;
    default:
        return !s->is_esmtp;
    }
}

static bool add_escaped(struct buf *out, slice text)
{
    bool good = true;

    for (size_t i = 0; good && i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (c == '\r')
            good = buf_add(out, S("\\r"));
        else if (c == '\n')
            good = buf_add(out, S("\\n"));
        else if (c == '\t')
            good = buf_add(out, S("\\t"));
        else if (c == '\\')
            good = buf_add(out, S("\\\\"));
        else if (c < ' ' || c > '~')
            good = buf_addf(out, "\\%03o", c);
        else
            good = buf_add_char(out, (char)c);
    }
    return good;
}

/* A client that talks ahead where it must not: said once.  False: smtpd_forbid_unauth_pipelining ends the session. */
static bool note_pipelining(struct session *s, enum command command)
{
    AUTO_BUF struct buf ahead = BUF_INIT(1000);

    if (s->pipelined || stream_buffered(s->stream) == 0 || !must_wait(s, command))
        return true;
    s->pipelined = true;
    (void)add_escaped(&ahead, slice_head(stream_ahead(s->stream), 100));
    event_info("improper command pipelining after %s from %.*s: %s", session_command_word(command),
               S_ARG(s->client_label), buf_text(&ahead));
    if (!s->world->params->smtpd_forbid_unauth_pipelining)
        return true;
    (void)session_say(s, "554 5.5.0 Error: SMTP protocol synchronization");
    s->ended = true;
    return false;
}

static bool run_command(struct session *s, enum command command, slice arguments)
{
    s->where = command;
    s->total[command]++;
    if (!note_pipelining(s, command))
        return false;
    if (s->denied && command != COMMAND_QUIT)
        return session_say(s, "503 5.7.0 Error: access denied for %.*s", S_ARG(s->client_label));
    return commands[command].run(s, arguments);
}

static bool dispatch(struct session *s, slice line)
{
    slice rest = line, word = S("");

    (void)cut_word(&rest, " \t", &word);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (slice_eq_case(word, commands[i].word))
            return run_command(s, (enum command)i, rest);
    if (is_ignored(s, word)) {
        s->junk++;
        return session_say(s, "250 2.0.0 Ok");
    }
    s->where = COMMAND_UNKNOWN;
    s->total[COMMAND_UNKNOWN]++;
    if (s->denied)
        return session_say(s, "503 5.7.0 Error: access denied for %.*s", S_ARG(s->client_label));
    if (is_foreign(s, word, line)) {
        event_warning("non-SMTP command from %.*s: %.*s", S_ARG(s->client_label), S_ARG(slice_head(line, 100)));
        (void)session_say(s, "221 2.7.0 Error: I can break rules, too. Goodbye.");
        s->ended = true;
        return false;
    }
    return word.n == 0 ? session_say(s, "500 5.5.2 Error: bad syntax")
                       : session_say(s, "500 5.5.2 Error: command not recognized");
}

/* After too many errors: slower, then the end. */
static bool punish(struct session *s, unsigned errors_before, unsigned junk_before)
{
    const struct params *c = s->world->params;
    struct err err;

    if (s->junk > junk_before && s->junk > (unsigned)c->smtpd_junk_command_limit + 1)
        s->errors++;
    if (s->errors > errors_before && s->errors > (unsigned)c->smtpd_soft_error_limit &&
        !task_sleep(deadline_in(c->smtpd_error_sleep_time_us), &err))
        return false;
    if (s->errors < (unsigned)c->smtpd_hard_error_limit)
        return true;
    session_log_lost(s, "too many errors");
    (void)session_say(s, "421 4.7.0 %s Error: too many errors", c->myhostname);
    return false;
}

/* False: the session is over. */
static bool one_command(struct session *s)
{
    unsigned errors = s->errors, junk = s->junk;
    struct err err;
    slice line;

    switch (stream_read_line(s->stream, (size_t)s->world->params->line_length_limit, session_by(s), &line, &err)) {
    case STREAM_BARE_LF:
        s->saw_bare_newline = true;
        if (session_bare_rule(s, "reject"))
            return session_refuse_bare_newline(s, s->before_command ? "CONNECT" : session_command_word(s->where),
                                               (slice){0});
        break;
    case STREAM_LINE:
        break;
    case STREAM_TOO_LONG:
        s->where = COMMAND_UNKNOWN;
        s->total[COMMAND_UNKNOWN]++;
        return session_say(s, "500 5.5.2 Error: line too long") && punish(s, errors, junk);
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
        return session_say(s, "500 5.5.2 Error: bad syntax") && punish(s, errors, junk);
    return dispatch(s, slice_trim_end(line)) && punish(s, errors, junk);
}

static void session_done(struct session *s)
{
    transaction_reset(s);
    arena_done(&s->message_arena);
    arena_done(&s->arena);
}

void session_run(const struct smtpd_world *world, struct stream *stream)
{
    CLEANUP(session_done)
    struct session s = {
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
    s.ended = !limits_connect(&s);
    s.denied = !s.ended && !check_client(&s);
    if (!s.ended && (s.denied || session_say(&s, "220 %.*s", S_ARG(world->banner))))
        while (one_command(&s))
            if (service_is_draining() && !s.t.open && stream_buffered(stream) == 0) {
                (void)session_say(&s, "421 4.3.2 %s Service shutting down", world->params->myhostname);
                break;
            }
    s.ended = true;
    limits_disconnect(&s);
    session_log_disconnect(&s);
    if (!stream_flush(stream, session_by(&s), &err))
        return; /* the client has left without its last words */
}
