#include "deliver/smtp/xforward.h"

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/syntax/xtext.h"

enum attribute { NAME, ADDR, PORT, PROTO, HELO, IDENT, SOURCE, ATTRIBUTES };

static const slice words[ATTRIBUTES] = {
    [NAME] = S_INIT("NAME"), [ADDR] = S_INIT("ADDR"),   [PORT] = S_INIT("PORT"),     [PROTO] = S_INIT("PROTO"),
    [HELO] = S_INIT("HELO"), [IDENT] = S_INIT("IDENT"), [SOURCE] = S_INIT("SOURCE"),
};

static unsigned attribute_bits(slice list)
{
    unsigned bits = 0;
    slice word;

    while (cut_word(&list, " \t", &word))
        for (int i = 0; i < ATTRIBUTES; i++)
            if (slice_eq_case(word, words[i]))
                bits |= 1U << i;
    return bits;
}

unsigned xforward_offered(slice text)
{
    unsigned bits = 0;
    struct reply_line r;
    slice line, word;

    while (cut_field(&text, '\n', &line))
        if (reply_line_parse(line, &r) && cut_word(&r.text, " \t", &word) && slice_eq_case(word, S("XFORWARD")))
            bits |= attribute_bits(r.text);
    return bits;
}

/* Empty: not known. */
static slice value_of(const struct delivery_request *w, enum attribute a)
{
    switch (a) {
    case NAME:
        return w->log_client_name;
    case ADDR:
        return w->log_client_address;
    case PORT:
        return w->log_client_port;
    case PROTO:
        return w->log_protocol_name;
    case HELO:
        return w->log_helo_name;
    case IDENT:
        return w->log_ident;
    default:
        return w->rewrite_context.n == 0                       ? S("")
               : slice_eq_case(w->rewrite_context, S("local")) ? S("LOCAL")
                                                               : S("REMOTE");
    }
}

/* One command with the attributes from FIRST to LAST.  WHAT: what it is called in the log. */
static bool say(struct connection *c, const struct delivery_request *w, enum attribute first, enum attribute last,
                const char *what, struct arena *arena, struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(16384);
    struct reply reply;

    for (enum attribute a = first; a <= last; a++) {
        slice value = value_of(w, a);

        if ((c->xforward & 1U << a) == 0 || value.n == 0)
            continue;
        (void)buf_addf(&line, "%s %.*s=", line.n == 0 ? "XFORWARD" : "", S_ARG(words[a]));
        (void)xtext_encode(value, S(""), &line);
    }
    if (line.n == 0)
        return true;
    if (!connection_ask(c, buf_slice(&line), c->settings->xforward_timeout_us, arena, &reply, err))
        return false;
    if (reply.code / 100 != 2)
        event_warning("host %s said: %.*s (in reply to XFORWARD %s command)", c->relay, S_ARG(reply.text), what);
    return true;
}

bool xforward_say(struct connection *c, const struct delivery_request *w, struct arena *arena, enum phase *phase,
                  struct err *err)
{
    if (!c->settings->send_xforward_command || c->xforward == 0)
        return true;
    *phase = PHASE_XFORWARD_NAME;
    if (!say(c, w, NAME, PORT, "name/address", arena, err))
        return false;
    *phase = PHASE_XFORWARD_HELO;
    return say(c, w, PROTO, SOURCE, "helo/protocol", arena, err);
}
