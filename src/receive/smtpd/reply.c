#include <stdarg.h>

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/service/service.h"
#include "receive/smtpd/session.h"

enum { REPLY_MOST = 1000, REPLY_BYTES = 64 * 1024 };

deadline session_by(const struct session *s)
{
    const struct params *c = service_params_now();
    int64_t most_us = c->smtpd_timeout_us;

    (void)s;
    if (service_is_stopping() && most_us > c->stop_silence_limit_us)
        most_us = c->stop_silence_limit_us;
    return task_deadline_in(most_us);
}

/* soft_bounce: nothing is refused for good.  TEXT begins with a reply code. */
static void soften(const struct session *s, char *text, size_t n)
{
    if (!s->world->params->soft_bounce || n < 3 || text[0] != '5')
        return;
    text[0] = '4';
    if (n > 5 && text[4] == '5' && text[5] == '.')
        text[4] = '4';
}

/* Whose fault a refusal tells of, where its words alone are known. */
static enum notice_class class_of(const struct session *s, slice text)
{
    struct dsn_code dsn = {0};
    unsigned code = 0;

    if (!cut_uint(&text, 3, 3, &code) || code == 421 || code == 459)
        return 0;
    (void)cut_blanks(&text);
    (void)cut_dsn_code(&text, &dsn);
    if (dsn.subject == 7 || (dsn.subject == 5 && dsn.detail == 3))
        return NOTICE_POLICY;
    if (dsn.subject == 3 && dsn.detail == 4)
        return s->where == COMMAND_MAIL ? NOTICE_POLICY : NOTICE_BOUNCE;
    if (dsn.subject == 3)
        return dsn.detail == 5 ? NOTICE_SOFTWARE : NOTICE_RESOURCE;
    return NOTICE_PROTOCOL;
}

/* LINES end in CRLF; TEXT is what the first one says. */
static void record_reply(struct session *s, slice lines, slice text)
{
    slice line;

    while (cut_field(&lines, '\n', &line))
        if (line.n > 0)
            transcript_add(&s->transcript, false, slice_head(line, line.n - 1));
    if (text.n > 0 && (text.p[0] == '4' || text.p[0] == '5'))
        transcript_blame(&s->transcript, s->blame != 0 ? s->blame : class_of(s, text));
    s->blame = 0;
}

bool session_say(struct session *s, const char *format, ...)
{
    AUTO_BUF struct buf lines = BUF_INIT(REPLY_BYTES);
    char text[REPLY_MOST];
    struct err err;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= (int)sizeof text)
        n = (int)sizeof text - 1;
    for (int i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            text[i] = '?';
    soften(s, text, (size_t)n);
    if (text[0] == '4' || text[0] == '5') {
        s->errors++;
        footer_add(s, slice_of(text, (size_t)n), &lines);
    } else {
        (void)buf_add(&lines, slice_of(text, (size_t)n));
        (void)buf_add(&lines, S("\r\n"));
    }
    record_reply(s, buf_slice(&lines), slice_of(text, (size_t)n));
    if (!stream_write(s->stream, buf_slice(&lines), session_by(s), &err)) {
        session_log_lost(s, err.kind == ERR_TIMEOUT ? "timeout" : "lost connection");
        s->ended = true;
    }
    return !s->ended;
}

void session_log_action(struct session *s, const char *verb, const char *where, slice text, slice recipient)
{
    AUTO_BUF struct buf line = BUF_INIT(4096);
    size_t said_at;

    (void)buf_addf(&line, "%s: %s: %s from %.*s: ", s->t.queued ? s->t.submission.queue_id : "NOQUEUE", verb, where,
                   S_ARG(s->client_label));
    said_at = line.n;
    (void)buf_addf(&line, "%.*s;", S_ARG(text));
    soften(s, line.p + said_at, line.n - said_at);
    if (s->t.sender.p != NULL) {
        (void)buf_add(&line, S(" from=<"));
        event_print_address(s->t.sender, &line);
        (void)buf_add(&line, S(">"));
    }
    if (recipient.p != NULL) {
        (void)buf_add(&line, S(" to=<"));
        event_print_address(recipient, &line);
        (void)buf_add(&line, S(">"));
    }
    (void)buf_addf(&line, " proto=%s", s->is_esmtp ? "ESMTP" : "SMTP");
    if (s->helo.p != NULL)
        (void)buf_addf(&line, " helo=<%.*s>", S_ARG(s->helo));
    event_info("%s", buf_text(&line));
}

/* A recipient that does not exist is no matter of policy. */
static enum notice_class class_of_answer(const struct policy_answer *a)
{
    if (a->dsn.class == 4 && a->dsn.subject == 3)
        return a->dsn.detail == 5 ? NOTICE_SOFTWARE : NOTICE_RESOURCE;
    return slice_find_slice(a->text, S("User unknown")) != SLICE_NONE ? NOTICE_BOUNCE : NOTICE_POLICY;
}

bool session_refuse(struct session *s, const char *where, const struct policy_answer *a, slice recipient)
{
    AUTO_BUF struct buf text = BUF_INIT(REPLY_MOST);
    char dsn[DSN_CODE_TEXT];

    dsn_code_print(a->dsn, dsn);
    (void)buf_addf(&text, "%d %s %.*s", a->code, dsn, S_ARG(a->text));
    session_log_action(s, "reject", where, buf_slice(&text), recipient);
    s->blame = class_of_answer(a);
    if (!session_say(s, "%s", buf_text(&text)))
        return false;
    if (a->disconnect)
        s->ended = true;
    return !s->ended;
}

#define COMMAND_WORD(word, name) #word,
#define COMMAND_NAME(word, name) #name,
static const char *const words[COMMAND_COUNT] = {SMTPD_COMMANDS(COMMAND_WORD) "UNKNOWN"};
static const char *const names[COMMAND_COUNT] = {SMTPD_COMMANDS(COMMAND_NAME) "unknown"};

bool session_bare_rule(const struct session *s, const char *rule)
{
    return !s->bare_newline_ok &&
           slice_eq_case(slice_text(s->world->params->smtpd_forbid_bare_newline), slice_text(rule));
}

bool session_refuse_bare_newline(struct session *s, const char *where, slice recipient)
{
    const struct params *c = s->world->params;
    int code = c->smtpd_forbid_bare_newline_reject_code;

    session_log_action(s, "reject", where, S("bare <LF> received"), recipient);
    (void)session_say(s, "%d 5.5.2 %s Error: bare <LF> received", code, c->myhostname);
    if (code == 421 || code == 521)
        s->ended = true;
    return !s->ended;
}

slice session_only_recipient(const struct session *s)
{
    return s->t.recipients == 1 ? s->t.first_recipient : (slice){0};
}

const char *session_command_word(enum command command)
{
    return words[command];
}

static const char *last_word(const struct session *s)
{
    return s->before_command ? "CONNECT" : s->after_message ? "END-OF-MESSAGE" : words[s->where];
}

void session_log_lost(struct session *s, const char *what)
{
    if (s->ended)
        return;
    s->aborted = what;
    if (s->data_bytes >= 0 && (s->where == COMMAND_DATA || s->where == COMMAND_BDAT))
        event_info("%s after %s (%lld bytes) from %.*s", what, words[s->where], (long long)s->data_bytes,
                   S_ARG(s->client_label));
    else
        event_info("%s after %s from %.*s", what, last_word(s),
                   S_ARG(s->client_label));
}

void session_log_disconnect(struct session *s)
{
    AUTO_BUF struct buf line = BUF_INIT(1000);
    unsigned ok = 0, total = 0;

    for (int i = 0; i < COMMAND_COUNT; i++) {
        ok += s->ok[i];
        total += s->total[i];
        if (s->total[i] == 0)
            continue;
        if (s->ok[i] == s->total[i])
            (void)buf_addf(&line, " %s=%u", names[i], s->total[i]);
        else
            (void)buf_addf(&line, " %s=%u/%u", names[i], s->ok[i], s->total[i]);
    }
    if (ok == total && total > 0)
        (void)buf_addf(&line, " commands=%u", total);
    else
        (void)buf_addf(&line, " commands=%u/%u", ok, total);
    if (s->saw_bare_newline && session_bare_rule(s, "note"))
        (void)buf_add(&line, S(" notes=bare_lf"));
    event_info("disconnect from %.*s%s", S_ARG(s->client_label), buf_text(&line));
}
