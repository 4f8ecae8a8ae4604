#include "deliver/smtp/greet.h"

#include "core/base/cut.h"
#include "deliver/smtp/pix.h"
#include "deliver/smtp/verdict.h"
#include "deliver/smtp/xforward.h"
#include "mail/events/events.h"

/* ---- what is offered ---- */

static const struct {
    slice keyword;
    unsigned bit;
} features[] = {
#define CONNECTION_FEATURE_ROW(name) {S_INIT(#name), HAS_##name},
    CONNECTION_FEATURES(CONNECTION_FEATURE_ROW)};

static unsigned feature_bit(slice keyword)
{
    for (size_t i = 0; i < COUNT_OF(features); i++)
        if (slice_eq_case(keyword, features[i].keyword))
            return features[i].bit;
    return 0;
}

unsigned connection_features_listed(slice list)
{
    unsigned found = 0;
    slice word;

    while (cut_word(&list, ", \t\r\n", &word))
        found |= feature_bit(word);
    return found;
}

/* What SIZE has behind it. */
static void read_size(slice rest, int64_t *size_limit, slice *bad_size)
{
    slice word;

    if (!cut_word(&rest, " \t", &word))
        return;
    for (size_t i = 0; i < word.n; i++)
        if (!ascii_is_digit(word.p[i]))
            *bad_size = word;
    if (bad_size->n > 0 || !slice_to_i64(word, size_limit))
        *size_limit = 0;
}

unsigned connection_features(slice text, unsigned discard, int64_t *size_limit, slice *bad_size)
{
    unsigned found = 0;
    struct reply_line r;
    slice line, word;

    *size_limit = 0;
    *bad_size = S("");
    (void)cut_field(&text, '\n', &line); /* the server's name */
    while (cut_field(&text, '\n', &line)) {
        unsigned bit;
        slice rest;

        if (!reply_line_parse(line, &r))
            continue;
        rest = r.text;
        bit = cut_word(&rest, " \t", &word) ? feature_bit(word) & ~discard : 0;
        found |= bit;
        if (bit == HAS_SIZE)
            read_size(rest, size_limit, bad_size);
    }
    return found;
}

/* ---- the greeting ---- */

/* The first word of a greeting or of a reply to EHLO: is it our own name, on the port where we would listen ourselves?
 */
static bool is_my_name(const struct connection *c, const struct reply *reply)
{
    slice text = reply->text, line = S(""), word;

    (void)cut_field(&text, '\n', &line);
    line = slice_skip(line, 4);
    return c->port == 25 && !c->settings->lmtp && cut_word(&line, " \t", &word) &&
           slice_eq_case(word, slice_text(c->settings->params->myhostname));
}

static bool lose(struct connection *c, enum phase phase, const struct err *err, struct arena *arena,
                 struct outcome *why)
{
    c->broken = err->kind != ERR_TEMPORARY;
    *why = verdict_lost(c, phase, err, arena);
    return false;
}

/* Does a server call itself ESMTP? */
static bool says_esmtp(slice greeting)
{
    slice word;

    while (cut_word(&greeting, " \t\n", &word))
        if (slice_eq_case(word, S("ESMTP")))
            return true;
    return false;
}

/* Greets us, or *WHY.  *EHLO: it is to be asked what it can do. */
static bool hear_greeting(struct connection *c, const struct errand *errand, bool *ehlo, struct outcome *why)
{
    const struct settings *s = c->settings;
    struct reply reply;
    struct err err;

    if (!connection_hear(c, errand->arena, s->hello_timeout_us, &reply, &err))
        return lose(c, PHASE_GREETING, &err, errand->arena, why);
    if (reply.code / 100 != 2) {
        *why = verdict_refused(c, &reply, s->skip_5xx_greeting, errand->arena);
        return false;
    }
    pix_notice(c, reply.text, errand);
    if (is_my_name(c, &reply))
        event_warning("host %s greeted me with my own hostname %s", c->relay, s->params->myhostname);
    *ehlo = !s->only_helo && (c->pix & PIX_DISABLE_ESMTP) == 0 && (!s->ehlo_where_said || says_esmtp(reply.text));
    return true;
}

/* ---- EHLO ---- */

static bool say_hello(struct connection *c, const char *verb, enum phase phase, struct arena *arena,
                      struct reply *reply, struct outcome *why)
{
    const struct settings *s = c->settings;
    slice line = arena_format(arena, S("HELO localhost"), "%s %s", verb, s->hello_name);
    struct err err;

    return connection_ask(c, line, s->hello_timeout_us, arena, reply, &err) || lose(c, phase, &err, arena, why);
}

static void tell_discarded(unsigned discard)
{
    AUTO_BUF struct buf names = BUF_INIT(1000);

    for (size_t i = 0; i < COUNT_OF(features); i++)
        if (discard & features[i].bit)
            (void)buf_addf(&names, " %.*s", S_ARG(features[i].keyword));
    if (names.n > 0)
        event_info("discarding EHLO keywords:%s", buf_text(&names));
}

/* *DISCARD: what is not to be used with this server.  False: *WHY. */
static bool look_up_discarded(const struct connection *c, const struct errand *errand, unsigned *discard,
                              struct outcome *why)
{
    const struct settings *s = c->settings;
    AUTO_BUF struct buf value = BUF_INIT(4096);
    slice list = slice_text(s->discard_keywords);
    struct err err;

    switch (client_map_get(s, MAP_DISCARD, slice_text(c->address), &value, &err)) {
    case TABLE_FAILED:
        event_warning("%.*s: %s map lookup error for %s", S_ARG(errand->queue_id), s->maps[MAP_DISCARD].parameter,
                      c->address);
        *why = verdict_lost(c, PHASE_EHLO, &err, errand->arena);
        return false;
    case TABLE_FOUND:
        list = buf_slice(&value);
        break;
    case TABLE_NOT_FOUND:
        break;
    }
    *discard = connection_features_listed(list);
    if (!is_listed(list, S("silent-discard")))
        tell_discarded(*discard);
    return true;
}

/* The server takes EHLO: what does it offer?  False: it is ourselves, or we cannot tell what to use of it. */
static bool learn(struct connection *c, const struct destination *d, const struct reply *reply,
                  const struct errand *errand, struct outcome *why)
{
    const struct settings *s = c->settings;
    unsigned discard;
    slice bad_size;

    if (!look_up_discarded(c, errand, &discard, why))
        return false;
    if (is_my_name(c, reply)) {
        event_warning("host %s replied to HELO/EHLO with my own hostname %s", c->relay, s->params->myhostname);
        *why = verdict_unfit(c, (struct dsn_code){5, 4, 6},
                             arena_format(errand->arena, S("mail loops back to myself"),
                                          "mail for %.*s loops back to myself", S_ARG(d->text)),
                             errand->arena);
        return false;
    }
    c->features = connection_features(reply->text, discard, &c->size_limit, &bad_size);
    c->xforward = c->features & HAS_XFORWARD ? xforward_offered(reply->text) : 0;
    if (bad_size.n > 0)
        event_warning("bad EHLO SIZE limit \"%.*s\" from %s", S_ARG(bad_size), c->relay);
    if ((c->features & HAS_SMTPUTF8) && !(c->features & HAS_8BITMIME))
        event_info("host %s offers SMTPUTF8 support, but not 8BITMIME", c->label);
    return true;
}

bool connection_greet(struct connection *c, const struct destination *d, const struct errand *errand,
                      struct outcome *why)
{
    const struct settings *s = c->settings;
    struct arena *arena = errand->arena;
    struct reply reply;
    bool ehlo;

    if (!hear_greeting(c, errand, &ehlo, why))
        return false;
    if (ehlo || s->lmtp) {
        if (!say_hello(c, s->hello_verb, PHASE_EHLO, arena, &reply, why))
            return false;
        if (reply.code / 100 == 2)
            return learn(c, d, &reply, errand, why);
        if (reply.code == 421 || s->lmtp) {
            *why = verdict_refused(c, &reply, !s->lmtp, arena);
            return false;
        }
    }
    if (!say_hello(c, "HELO", PHASE_HELO, arena, &reply, why))
        return false;
    if (reply.code / 100 == 2)
        return true;
    *why = verdict_refused(c, &reply, false, arena);
    return false;
}
