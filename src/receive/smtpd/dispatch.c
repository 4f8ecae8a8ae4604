/* From a line to the function that answers it. */
#include <sys/socket.h>

#include "core/base/cut.h"
#include "core/base/utf8.h"
#include "mail/events/events.h"
#include "mail/service/service.h"
#include "receive/smtpd/session.h"

enum { FILTERED_BYTES = 65536 };

#define COMMAND_ROW(word, name) {S_INIT(#word), command_##name},
static const struct {
    slice word;
    bool (*run)(struct session *s, slice arguments);
} commands[] = {SMTPD_COMMANDS(COMMAND_ROW)};

/* Clients that are no mail clients: smtpd_forbidden_commands, or a header line where a command should be. */
static bool is_foreign(const struct session *s, slice word)
{
    size_t colon = slice_find(word, ':');

    if (!s->world->standalone && policy_forbids_command(s->world->policy, word, session_by(s)))
        return true;
    return colon != SLICE_NONE && colon > 0;
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
    case COMMAND_HELO:
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

/* A client that talks AHEAD where it must not: said once.  False: smtpd_forbid_unauth_pipelining ends the session. */
static bool note_talk(struct session *s, const char *where, slice ahead)
{
    AUTO_BUF struct buf text = BUF_INIT(1000);

    s->pipelined = true;
    (void)add_escaped(&text, slice_head(ahead, 100));
    event_info("improper command pipelining after %s from %.*s: %s", where, S_ARG(s->client_label), buf_text(&text));
    if (!s->world->params->smtpd_forbid_unauth_pipelining)
        return true;
    (void)session_say(s, "554 5.5.0 Error: SMTP protocol synchronization");
    s->ended = true;
    return false;
}

static bool note_pipelining(struct session *s, enum command command)
{
    return s->world->standalone || s->pipelined || stream_buffered(s->stream) == 0 || !must_wait(s, command) ||
           note_talk(s, session_command_word(command), stream_ahead(s->stream));
}

bool session_note_early_talk(struct session *s)
{
    char ahead[100];
    ssize_t n = s->world->standalone ? 0 : recv(stream_fd(s->stream), ahead, sizeof ahead, MSG_PEEK | MSG_DONTWAIT);

    return n <= 0 || note_talk(s, "CONNECT", slice_of(ahead, (size_t)n));
}

static bool run_command(struct session *s, enum command command, slice arguments)
{
    unsigned junk = s->junk;
    bool more;

    s->where = command;
    s->total[command]++;
    if (!note_pipelining(s, command))
        return false;
    if (s->denied && command != COMMAND_QUIT)
        return session_say(s, "503 5.7.0 Error: access denied for %.*s", S_ARG(s->client_label));
    more = commands[command].run(s, arguments);
    if (s->junk > junk && s->junk > (unsigned)service_params_now()->smtpd_junk_command_limit)
        s->errors++;
    return more;
}

static bool unknown_command(struct session *s, slice word, slice line)
{
    s->where = COMMAND_UNKNOWN;
    s->total[COMMAND_UNKNOWN]++;
    if (is_foreign(s, word)) {
        AUTO_BUF struct buf text = BUF_INIT(1000);

        (void)add_escaped(&text, slice_head(line, 100));
        event_warning("non-SMTP command from %.*s: %s", S_ARG(s->client_label), buf_text(&text));
        (void)session_say(s, "221 2.7.0 Error: I can break rules, too. Goodbye.");
        s->ended = true;
        return false;
    }
    if (s->denied)
        return session_say(s, "503 5.7.0 Error: access denied for %.*s", S_ARG(s->client_label));
    return session_say(s, "500 5.5.2 Error: command not recognized");
}

/* smtpd_command_filter: *LINE is what it makes of it, in ROOM. */
static void filter_command(struct session *s, struct buf *room, slice *line)
{
    if (!session_look_up(s, s->world->command_filter, *line, room))
        return;
    event_info("%.*s: replacing command \"%.*s\" with \"%.*s\"", S_ARG(s->client_label), S_ARG(slice_head(*line, 100)),
               S_ARG(slice_head(buf_slice(room), 100)));
    *line = buf_slice(room);
}

bool session_dispatch(struct session *s, slice line)
{
    AUTO_BUF struct buf room = BUF_INIT(FILTERED_BYTES);
    size_t nul = slice_find(line, '\0');
    slice rest, word;

    s->after_message = false;
    if (s->world->params->smtputf8_enable && !utf8_valid(line))
        return session_say(s, "500 5.5.2 Error: bad UTF-8 syntax");
    line = slice_trim_end(slice_head(line, nul)); /* a NUL has always ended a line here */
    filter_command(s, &room, &line);
    rest = line;
    if (!cut_word(&rest, " \t", &word))
        return session_say(s, "500 5.5.2 Error: bad syntax");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (slice_eq_case(word, commands[i].word))
            return run_command(s, (enum command)i, rest);
    if (!is_ignored(s, word))
        return unknown_command(s, word, line);
    s->junk++;
    return session_say(s, "250 2.0.0 Ok");
}
