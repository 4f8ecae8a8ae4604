/* The small commands. */
#include "mail/events/events.h"
#include "mail/syntax/address.h"
#include "receive/smtpd/session.h"

bool command_rset(struct session *s, slice arguments)
{
    if (slice_trim(arguments).n > 0)
        return session_say(s, "501 5.5.4 Syntax: RSET");
    transaction_reset(s);
    forwarded_reset(s);
    s->junk++;
    s->ok[COMMAND_RSET]++;
    return session_say(s, "250 2.0.0 Ok");
}

bool command_noop(struct session *s, slice arguments)
{
    (void)arguments;
    s->junk++;
    s->ok[COMMAND_NOOP]++;
    return session_say(s, "250 2.0.0 Ok");
}

bool command_quit(struct session *s, slice arguments)
{
    (void)arguments;
    s->ok[COMMAND_QUIT]++;
    transaction_reset(s);
    (void)session_say(s, "221 2.0.0 Bye");
    s->ended = true;
    return false;
}

bool command_starttls(struct session *s, slice arguments)
{
    return session_say(s, slice_trim(arguments).n > 0 ? "501 5.5.4 Syntax: STARTTLS"
                                                      : "502 5.5.1 Error: command not implemented");
}

bool command_auth(struct session *s, slice arguments)
{
    (void)arguments;
    if (s->world->params->smtpd_helo_required && s->helo.p == NULL)
        return session_say(s, "503 5.5.1 Error: send HELO/EHLO first");
    return session_say(s, "503 5.5.1 Error: authentication not enabled");
}

/* The last word may say that the address is UTF-8. */
static bool cut_smtputf8(slice *text)
{
    static const slice word = S_INIT("SMTPUTF8");
    size_t before = text->n - word.n;

    if (text->n <= word.n || !slice_ends_case(*text, word) || !ascii_is_space(text->p[before - 1]))
        return false;
    *text = slice_trim_end(slice_head(*text, before));
    return true;
}

static bool verify_address(struct session *s, slice shown, bool utf8)
{
    AUTO_BUF struct buf out = BUF_INIT(2048);
    const struct smtp_path_options options = {.strict = false};
    size_t angle = slice_find(shown, '<'); /* "Bob <bob@example.com>" */
    slice rest = angle == SLICE_NONE ? shown : slice_skip(shown, angle);

    if (!cut_smtp_path(&rest, &options, &out) || slice_trim(rest).n > 0 || !mail_address_good(buf_slice(&out), utf8)) {
        event_warning("Illegal address syntax from %.*s in VRFY command: %.*s", S_ARG(s->client_label),
                      S_ARG(slice_head(shown, 200)));
        return session_say(s, "501 5.1.3 Bad recipient address syntax");
    }
    if (!mail_utf8_declared(s, buf_slice(&out), utf8))
        return !s->ended;
    if (!check_recipient(s, buf_slice(&out), "VRFY"))
        return !s->ended;
    s->ok[COMMAND_VRFY]++;
    return session_say(s, "252 2.0.0 %.*s", S_ARG(shown));
}

bool command_vrfy(struct session *s, slice arguments)
{
    slice shown = slice_trim(arguments);
    bool enabled = s->world->params->smtputf8_enable;

    s->junk++;
    if (s->world->params->disable_vrfy_command)
        return session_say(s, "502 5.5.1 VRFY command is disabled");
    if (shown.n == 0)
        return session_say(s, "501 5.5.4 Syntax: VRFY address%s", enabled ? " [SMTPUTF8]" : "");
    if (!limits_recipient(s))
        return !s->ended;
    return verify_address(s, shown, enabled && cut_smtputf8(&shown));
}
