/* MAIL, RCPT: the envelope's commands. */
#include <sys/statvfs.h>

#include "core/base/cut.h"
#include "core/base/utf8.h"
#include "core/net/endpoint.h"
#include "mail/content/mime.h"
#include "mail/envelope/verp.h"
#include "mail/events/events.h"
#include "mail/smtp/command.h"
#include "mail/syntax/address.h"
#include "receive/smtpd/session.h"

enum { ADDRESS_BYTES = 4096, PARAMETER_BYTES = 16384 };

static unsigned messages;

void transaction_reset(struct session *s)
{
    if (s->t.queued)
        submit_cancel(&s->t.submission);
    if (s->t.chunks != NULL)
        buf_done(&s->t.chunks->rest);
    s->t = (struct transaction){0};
    s->chunking = CHUNKING_NONE;
    s->data_bytes = -1;
    arena_reset(&s->message_arena);
}

/* UTF-8 in a domain stands for letters: as many as there are characters. */
static bool utf8_hostname_valid(slice name)
{
    AUTO_BUF struct buf plain = BUF_INIT(1000);

    while (name.n > 0) {
        size_t n = utf8_length(name);

        if (n == 0 || !buf_add_char(&plain, n == 1 ? name.p[0] : 'x'))
            return false;
        name = slice_skip(name, n);
    }
    return hostname_valid(buf_slice(&plain));
}

bool mail_address_good(slice address, bool utf8)
{
    size_t at = slice_find_last(address, '@');
    struct endpoint literal;
    slice domain;

    if (address.n > 0 && address.p[0] == '-') /* no local part is an option of a program */
        return false;
    if (!utf8_valid(slice_head(address, at)))
        return false;
    if (at == SLICE_NONE)
        return true;
    domain = slice_skip(address, at + 1);
    if (domain.n > 0 && domain.p[0] == '[')
        return domain_is_literal(domain) && endpoint_parse(domain, &literal) &&
               (literal.u.any.sa_family == AF_INET || slice_starts_case(slice_skip(domain, 1), S("IPv6:")));
    if (domain.n > 1 && domain.p[domain.n - 1] == '.')
        domain.n--; /* forgiven */
    return utf8 ? utf8_hostname_valid(domain) : hostname_valid(domain);
}

enum path_got mail_path(const struct session *s, slice *arguments, slice word, bool utf8, struct buf *out)
{
    const struct smtp_path_options options = {.strict = s->world->params->strict_rfc821_envelopes,
                                              .allow_empty = slice_eq(word, S("FROM"))};
    slice path;

    cut_blanks(arguments);
    if (!cut_prefix_case(arguments, word) || !cut_char(arguments, ':'))
        return PATH_MISSING;
    cut_blanks(arguments);
    path = *arguments;
    if (path.n == 0)
        return PATH_MISSING;
    if (cut_smtp_path(arguments, &options, out) &&
        (arguments->n == 0 || arguments->p[0] == ' ' || arguments->p[0] == '\t') && (out->n > 0 || options.allow_empty) &&
        mail_address_good(buf_slice(out), utf8))
        return PATH_GOOD;
    *arguments = path;
    return path.p[0] == '<' && slice_find(path, '>') == SLICE_NONE ? PATH_UNCLOSED : PATH_BAD;
}

slice mail_path_given(slice path, slice rest)
{
    cut_blanks(&path);
    path = slice_trim_end(slice_head(path, (size_t)(rest.p - path.p)));
    if (path.n >= 2 && path.p[0] == '<' && path.p[path.n - 1] == '>')
        path = slice_of(path.p + 1, path.n - 2);
    return path;
}

/* A path is one word, whatever is between its brackets. */
static void warn_syntax(struct session *s, const char *command, slice path)
{
    size_t n = path.p[0] == '<' ? slice_find(path, '>') : 0;

    while (n < path.n && path.p[n] != ' ' && path.p[n] != '\t')
        n++;
    event_warning("Illegal address syntax from %.*s in %s command: %.*s", S_ARG(s->client_label), command,
                  S_ARG(slice_head(path, n < 200 ? n : 200)));
}

bool mail_utf8_declared(struct session *s, slice address, bool utf8)
{
    if (utf8 || !s->world->params->strict_smtputf8 || !s->world->params->smtputf8_enable ||
        !mime_has_eight_bits(address))
        return true;
    (void)session_say(s, "553 5.6.7 Must declare SMTPUTF8 to send unicode address");
    return false;
}

static struct parameter_rules rules_for(const struct session *s)
{
    return (struct parameter_rules){
        .dsn = session_offers(s, KEYWORD_DSN),
        .smtputf8 = session_offers(s, KEYWORD_SMTPUTF8),
        .verp = session_in_hosts(s, s->world->verp_clients),
    };
}

/* False: a reply has been given. */
static bool take_verp(struct session *s, const struct mail_parameters *got)
{
    const struct params *c = s->world->params;

    if (!got->verp)
        return true;
    if (got->verp_delimiters.p == NULL)
        s->t.verp = slice_text(c->default_verp_delimiters);
    else if (verp_delimiters_fault(got->verp_delimiters, slice_text(c->verp_delimiter_filter)) != NULL)
        return session_say(s, "501 5.5.4 Error: XVERP needs two characters from %s", c->verp_delimiter_filter) && false;
    else
        s->t.verp = arena_keep(&s->message_arena, got->verp_delimiters, S(""));
    if (s->t.sender.n > 0)
        return true;
    return session_say(s, "503 5.5.4 Error: XVERP requires non-null sender") && false;
}

/* False: a reply has been given. */
static bool take_mail_parameters(struct session *s, slice text)
{
    AUTO_BUF struct buf decoded = BUF_INIT(PARAMETER_BYTES);
    const struct parameter_rules rules = rules_for(s);
    struct mail_parameters got;
    slice culprit;
    enum parameter_fault fault = mail_parameters_parse(text, &rules, &decoded, &got, &culprit);

    if (fault == PARAMETER_UNSUPPORTED)
        (void)session_say(s, "555 5.5.4 Unsupported option: %.*s", S_ARG(culprit));
    else if (fault != PARAMETER_GOOD)
        (void)session_say(s, "%s", parameter_fault_reply(fault));
    else if (!take_verp(s, &got))
        return false;
    else if (!arena_copy(&s->message_arena, got.envelope_id, &s->t.envelope_id) ||
             (got.auth.p != NULL && !arena_copy(&s->message_arena, got.auth, &s->t.auth)))
        (void)session_say(s, "452 4.3.1 Error: insufficient memory");
    else {
        s->t.encoding = got.encoding;
        s->t.ret = got.ret;
        s->t.smtputf8 = got.smtputf8;
        s->t.announced_bytes = got.size;
        return true;
    }
    return false;
}

/* What the queue's file system said last.  Where there is plenty, that is believed for a second. */
static struct {
    int64_t free_bytes, asked_us;
} room;

enum { PLENTY = 10 };

/* Are NEEDED bytes there?  *FREE_BYTES is set when not. */
static bool has_room(int64_t needed, int64_t *free_bytes)
{
    int64_t now_us = clock_monotonic_us();
    struct statvfs fs;

    if (room.free_bytes / PLENTY >= needed && room.asked_us > now_us - SECONDS(1))
        return true;
    if (statvfs(".", &fs) != 0)
        return true;
    room.asked_us = now_us;
    if (__builtin_mul_overflow((int64_t)fs.f_bavail, (int64_t)fs.f_frsize, &room.free_bytes))
        room.free_bytes = INT64_MAX;
    *free_bytes = room.free_bytes;
    return room.free_bytes > 0 && room.free_bytes >= needed;
}

/* Message size and disk space.  False: a reply has been given. */
static bool enough_room(struct session *s)
{
    const struct params *c = s->world->params;
    int64_t needed = c->message_size_limit + c->message_size_limit / 2, there;

    if (c->message_size_limit > 0 && s->t.announced_bytes > c->message_size_limit) {
        session_log_action(s, "reject", "MAIL", S("552 5.3.4 Message size exceeds fixed limit"), (slice){0});
        (void)session_say(s, "552 5.3.4 Message size exceeds fixed limit");
        return false;
    }
    if (has_room(needed > c->queue_minfree ? needed : c->queue_minfree, &there))
        return true;
    s->t.sender = (slice){0}; /* it is not to be blamed */
    session_log_action(s, "reject", "MAIL", S("452 4.3.1 Insufficient system storage"), (slice){0});
    event_warning("not enough free space in mail queue: %lld bytes < 1.5*message size limit", (long long)there);
    (void)session_say(s, "452 4.3.1 Insufficient system storage");
    return false;
}

static bool mail_accept(struct session *s, slice arguments)
{
    const bool utf8 = session_offers(s, KEYWORD_SMTPUTF8) && parameters_say_smtputf8(arguments);
    AUTO_BUF struct buf sender = BUF_INIT(ADDRESS_BYTES);
    enum path_got got = mail_path(s, &arguments, S("FROM"), utf8, &sender);

    if (got == PATH_MISSING) {
        (void)session_say(s, "501 5.5.4 Syntax: MAIL FROM:<address>");
        return false;
    }
    if (got != PATH_GOOD) {
        if (got == PATH_BAD)
            warn_syntax(s, "MAIL", arguments);
        (void)session_say(s, "501 5.1.7 Bad sender address syntax");
        return false;
    }
    return mail_utf8_declared(s, buf_slice(&sender), utf8) &&
           arena_copy(&s->message_arena, buf_slice(&sender), &s->t.sender) && take_mail_parameters(s, arguments) &&
           enough_room(s) && check_sender(s);
}

static bool submit_trouble(struct session *s, const struct err *err)
{
    event_warning("%s", err->text);
    transaction_reset(s);
    return session_say(s, "451 4.3.0 Error: queue file write error");
}

bool command_mail(struct session *s, slice arguments)
{
    struct err err;

    if (s->world->params->smtpd_helo_required && s->helo.p == NULL)
        return session_say(s, "503 5.5.1 Error: send HELO/EHLO first");
    if (s->t.open)
        return session_say(s, "503 5.5.1 Error: nested MAIL command");
    if (s->chunking != CHUNKING_NONE)
        return session_say(s, "503 5.5.1 Error: MAIL after BDAT");
    if (!limits_message(s))
        return !s->ended;
    s->t.arrival_us = clock_wall_us();
    s->t.number = ++messages;
    if (!mail_accept(s, arguments)) {
        transaction_reset(s);
        return !s->ended;
    }
    s->t.open = true;
    if (!s->world->params->smtpd_delay_open_until_valid_rcpt && !envelope_begin(s, &err))
        return submit_trouble(s, &err);
    s->ok[COMMAND_MAIL]++;
    return session_say(s, "250 2.1.0 Ok");
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

/* False: a reply has been given. */
static bool take_rcpt_parameters(struct session *s, slice text, struct buf *decoded, struct rcpt_parameters *out)
{
    const struct parameter_rules rules = rules_for(s);
    slice culprit, whole;
    enum parameter_fault fault = rcpt_parameters_parse(text, &rules, decoded, out, &culprit, &whole);

    if (fault == PARAMETER_GOOD)
        return true;
    if (fault == PARAMETER_NOTIFY && culprit.n > 0)
        event_warning("unknown DSN NOTIFY command value \"%.*s\" in \"%.*s\"", S_ARG(culprit), S_ARG(whole));
    if (fault == PARAMETER_UNSUPPORTED)
        (void)session_say(s, "555 5.5.4 Unsupported option: %.*s", S_ARG(culprit));
    else
        (void)session_say(s, "%s", parameter_fault_reply(fault));
    return false;
}

static bool accept_recipient(struct session *s, slice recipient, const struct rcpt_parameters *wishes)
{
    struct err err;

    if (s->t.recipients >= (unsigned)s->world->params->smtpd_recipient_limit)
        return too_many_recipients(s);
    if (!check_recipient(s, recipient, "RCPT"))
        return !s->ended;
    if (s->t.recipients == 0 && !arena_copy(&s->message_arena, recipient, &s->t.first_recipient))
        return session_say(s, "452 4.3.1 Error: insufficient memory");
    if ((!s->t.queued && !envelope_begin(s, &err)) || !envelope_recipient(s, recipient, wishes, &err))
        return submit_trouble(s, &err);
    s->t.recipients++;
    s->ok[COMMAND_RCPT]++;
    return session_say(s, "250 2.1.5 Ok");
}

bool command_rcpt(struct session *s, slice arguments)
{
    AUTO_BUF struct buf recipient = BUF_INIT(ADDRESS_BYTES), decoded = BUF_INIT(PARAMETER_BYTES);
    struct rcpt_parameters wishes;
    slice whole = arguments, word;
    enum path_got got;

    if (!s->t.open)
        return session_say(s, "503 5.5.1 Error: need MAIL command");
    if (s->chunking != CHUNKING_NONE)
        return session_say(s, "503 5.5.1 Error: RCPT after BDAT");
    if (!limits_recipient(s))
        return !s->ended;
    got = mail_path(s, &arguments, S("TO"), s->t.smtputf8, &recipient);
    if (got == PATH_MISSING)
        return session_say(s, "501 5.5.4 Syntax: RCPT TO:<address>");
    if (got != PATH_GOOD) {
        if (got == PATH_BAD)
            warn_syntax(s, "RCPT", arguments);
        return session_say(s, "501 5.1.3 Bad recipient address syntax");
    }
    if (!mail_utf8_declared(s, buf_slice(&recipient), s->t.smtputf8) ||
        !take_rcpt_parameters(s, arguments, &decoded, &wishes))
        return !s->ended;
    if (wishes.orcpt.n == 0 && cut_until(&whole, ':', &word) &&
        buf_addf(&decoded, "rfc822;%.*s", S_ARG(mail_path_given(whole, arguments))))
        wishes.orcpt = buf_slice(&decoded);
    return accept_recipient(s, buf_slice(&recipient), &wishes);
}
