/* MAIL, RCPT, VRFY: the envelope's commands. */
#include <sys/statvfs.h>

#include "core/base/cut.h"
#include "core/net/endpoint.h"
#include "mail/events/events.h"
#include "mail/proto/cleanup.h"
#include "mail/syntax/address.h"
#include "receive/smtpd/session.h"

static unsigned messages;

void transaction_reset(struct session *s)
{
    if (s->t.queued)
        submit_cancel(&s->t.submission);
    s->t = (struct transaction){0};
    arena_reset(&s->message_arena);
}

/* A domain is a host name (a final dot is forgiven) or a literal; a local part is no option of a program. */
static bool is_good_address(slice address)
{
    size_t at = slice_find_last(address, '@');
    struct endpoint literal;
    slice domain;

    if (address.n > 0 && address.p[0] == '-')
        return false;
    if (at == SLICE_NONE)
        return true;
    domain = slice_skip(address, at + 1);
    if (domain.n > 0 && domain.p[0] == '[')
        return domain_is_literal(domain) && endpoint_parse(domain, &literal) &&
               (literal.u.any.sa_family == AF_INET || slice_starts_case(slice_skip(domain, 1), S("IPv6:")));
    if (domain.n > 1 && domain.p[domain.n - 1] == '.')
        domain.n--;
    return hostname_valid(domain);
}

/* "FROM:" or "TO:", then the path.  True: *ADDRESS is in the message's arena, *REST are the parameters. */
static bool parse_path(struct session *s, slice *arguments, slice word, bool allow_empty, slice *address,
                       bool *bad_path)
{
    const struct smtp_path_options options = {.strict = s->world->params->strict_rfc821_envelopes,
                                              .allow_empty = allow_empty};
    AUTO_BUF struct buf out = BUF_INIT(2048);

    *bad_path = false;
    cut_blanks(arguments);
    if (!cut_prefix_case(arguments, word))
        return false;
    if (!cut_char(arguments, ':'))
        return false;
    cut_blanks(arguments);
    if (arguments->n == 0)
        return false;
    *bad_path = true;
    return cut_smtp_path(arguments, &options, &out) &&
           (arguments->n == 0 || arguments->p[0] == ' ' || arguments->p[0] == '\t') &&
           is_good_address(buf_slice(&out)) && arena_copy(&s->message_arena, buf_slice(&out), address);
}

/* ARGUMENTS with "FROM:" or "TO:" still before them. */
static void warn_syntax(struct session *s, const char *command, slice arguments)
{
    size_t colon = slice_find(arguments, ':');

    if (colon != SLICE_NONE)
        arguments = slice_trim(slice_skip(arguments, colon + 1));
    event_warning("Illegal address syntax from %.*s in %s command: %.*s", S_ARG(s->client_label), command,
                  S_ARG(slice_head(arguments, 200)));
}

/* False: a reply has been given. */
static bool mail_parameter(struct session *s, slice word)
{
    slice rest = word;

    if (cut_prefix_case(&rest, S("SIZE="))) {
        if (slice_to_i64(rest, &s->t.announced_bytes) && s->t.announced_bytes >= 0)
            return true;
        (void)session_say(s, "501 5.5.4 Bad message size syntax");
        return false;
    }
    if (slice_eq_case(word, S("BODY=8BITMIME")))
        s->t.encoding = S("8bit");
    else if (slice_eq_case(word, S("BODY=7BIT")))
        s->t.encoding = S("7bit");
    else {
        (void)session_say(s, "555 5.5.4 Unsupported option: %.*s", S_ARG(word));
        return false;
    }
    return true;
}

/* Message size and disk space.  False: a reply has been given. */
static bool enough_room(struct session *s)
{
    const struct params *c = s->world->params;
    struct statvfs fs;

    if (c->message_size_limit > 0 && s->t.announced_bytes > c->message_size_limit) {
        session_log_action(s, "reject", "MAIL", S("552 5.3.4 Message size exceeds fixed limit"), (slice){0});
        (void)session_say(s, "552 5.3.4 Message size exceeds fixed limit");
        return false;
    }
    if (statvfs(".", &fs) == 0) {
        int64_t free_bytes;
        int64_t need = c->message_size_limit + c->message_size_limit / 2;

        if (__builtin_mul_overflow((int64_t)fs.f_bavail, (int64_t)fs.f_frsize, &free_bytes))
            free_bytes = INT64_MAX;
        if (free_bytes == 0 || free_bytes < (need > c->queue_minfree ? need : c->queue_minfree)) {
            s->t.sender = (slice){0}; /* it is not to be blamed */
            session_log_action(s, "reject", "MAIL", S("452 4.3.1 Insufficient system storage"), (slice){0});
            event_warning("not enough free space in mail queue: %lld bytes < 1.5*message size limit", (long long)free_bytes);
            (void)session_say(s, "452 4.3.1 Insufficient system storage");
            return false;
        }
    }
    return true;
}

static bool mail_accept(struct session *s, slice arguments)
{
    slice whole = slice_trim(arguments), word;
    bool bad_path;

    if (!parse_path(s, &arguments, S("FROM"), true, &s->t.sender, &bad_path)) {
        if (bad_path)
            warn_syntax(s, "MAIL", whole);
        (void)session_say(s,
                          bad_path ? "501 5.1.7 Bad sender address syntax" : "501 5.5.4 Syntax: MAIL FROM:<address>");
        return false;
    }
    while (cut_word(&arguments, " \t", &word))
        if (!mail_parameter(s, word))
            return false;
    return enough_room(s) && check_sender(s);
}

bool command_mail(struct session *s, slice arguments)
{
    if (s->world->params->smtpd_helo_required && s->helo.p == NULL)
        return session_say(s, "503 5.5.1 Error: send HELO/EHLO first");
    if (s->t.open)
        return session_say(s, "503 5.5.1 Error: nested MAIL command");
    if (!limits_message(s))
        return !s->ended;
    s->t.arrival_us = clock_wall_us();
    s->t.number = ++messages;
    if (!mail_accept(s, arguments)) {
        transaction_reset(s);
        return !s->ended;
    }
    s->t.open = true;
    s->ok[COMMAND_MAIL]++;
    return session_say(s, "250 2.1.0 Ok");
}

static bool submit_trouble(struct session *s, const struct err *err)
{
    event_warning("%s", err->text);
    transaction_reset(s);
    return session_say(s, "451 4.3.0 Error: queue file write error");
}

/* The first ones beyond the limit are no errors: a client may find the limit by trying. */
static bool too_many_recipients(struct session *s)
{
    bool more = session_say(s, "452 4.5.3 Error: too many recipients");

    if (s->t.overshoot++ < (unsigned)s->world->params->smtpd_recipient_overshoot_limit) {
        s->errors--;
        s->ok[COMMAND_RCPT]++;
    }
    return more;
}

bool command_rcpt(struct session *s, slice arguments)
{
    slice recipient, word, whole = slice_trim(arguments);
    struct err err;
    bool bad_path;

    if (!s->t.open)
        return session_say(s, "503 5.5.1 Error: need MAIL command");
    if (!limits_recipient(s))
        return !s->ended;
    if (!parse_path(s, &arguments, S("TO"), false, &recipient, &bad_path)) {
        if (!bad_path)
            return session_say(s, "501 5.5.4 Syntax: RCPT TO:<address>");
        warn_syntax(s, "RCPT", whole);
        return session_say(s, "501 5.1.3 Bad recipient address syntax");
    }
    while (cut_word(&arguments, " \t", &word))
        return session_say(s, "555 5.5.4 Unsupported option: %.*s", S_ARG(word));
    if (s->t.recipients >= (unsigned)s->world->params->smtpd_recipient_limit)
        return too_many_recipients(s);
    if (!check_recipient(s, recipient, "RCPT"))
        return !s->ended;
    if (!s->t.queued && !envelope_begin(s, &err))
        return submit_trouble(s, &err);
    if (!envelope_recipient(s, recipient, &err))
        return submit_trouble(s, &err);
    if (s->t.recipients++ == 0)
        s->t.first_recipient = recipient;
    s->ok[COMMAND_RCPT]++;
    return session_say(s, "250 2.1.5 Ok");
}

bool command_vrfy(struct session *s, slice arguments)
{
    const struct smtp_path_options options = {.strict = false};
    AUTO_BUF struct buf out = BUF_INIT(2048);
    slice shown = slice_trim(arguments), rest = shown;
    bool good;

    s->junk++;
    if (s->world->params->disable_vrfy_command)
        return session_say(s, "502 5.5.1 VRFY command is disabled");
    if (shown.n == 0)
        return session_say(s, "501 5.5.4 Syntax: VRFY address");
    if (!limits_recipient(s))
        return !s->ended;
    if (!cut_smtp_path(&rest, &options, &out) || slice_trim(rest).n > 0 || !is_good_address(buf_slice(&out))) {
        event_warning("Illegal address syntax from %.*s in VRFY command: %.*s", S_ARG(s->client_label),
                      S_ARG(slice_head(shown, 200)));
        return session_say(s, "501 5.1.3 Bad recipient address syntax");
    }
    good = check_recipient(s, buf_slice(&out), "VRFY");
    if (!good)
        return !s->ended;
    s->ok[COMMAND_VRFY]++;
    return session_say(s, "252 2.0.0 %.*s", S_ARG(shown));
}
