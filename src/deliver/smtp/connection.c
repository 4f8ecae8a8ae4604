#include "deliver/smtp/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "deliver/smtp/verdict.h"
#include "mail/events/events.h"

/* ---- its life ---- */

static struct connection *connection_new(const struct destination *d, const struct target *t,
                                         const struct settings *settings, slice queue_id)
{
    struct connection *c = xcalloc(1, sizeof *c);

    list_init(&c->idle);
    c->key = xstrndup(d->text.p, d->text.n);
    c->settings = settings;
    c->queue_id = queue_id;
    c->grow_old = deadline_in(settings->connection_reuse_time_limit_us);
    (void)snprintf(c->host, sizeof c->host, "%.*s", S_ARG(t->host));
    if (t->path.n > 0) {
        (void)snprintf(c->address, sizeof c->address, "%.*s", S_ARG(t->path));
    } else {
        endpoint_print(&t->address, c->address);
        c->port = endpoint_port(&t->address);
    }
    (void)snprintf(c->label, sizeof c->label, "%s[%.100s]", c->host, c->address);
    if (c->port != 0)
        (void)snprintf(c->relay, sizeof c->relay, "%s:%u", c->label, c->port);
    else
        (void)snprintf(c->relay, sizeof c->relay, "%s", c->label);
    return c;
}

void connection_close(struct connection *c, bool bye)
{
    if (bye && !c->broken && !c->said_quit && c->stream != NULL) /* also called by a timer: must not wait */
        (void)!send(stream_fd(c->stream), "QUIT\r\n", 6, MSG_DONTWAIT | MSG_NOSIGNAL);
    timer_clear(&c->expiry);
    list_remove(&c->idle);
    stream_close(c->stream);
    free(c->key);
    free(c);
}

void connection_part(struct connection *c)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(64 * 1024);
    deadline by = deadline_in(c->settings->quit_timeout_us);
    struct reply reply;
    struct err err;

    if (c->broken || c->settings->skip_quit_response) {
        connection_close(c, true);
        return;
    }
    if (c->said_quit || stream_write(c->stream, S("QUIT\r\n"), by, &err)) {
        c->said_quit = true;
        if (stream_flush(c->stream, by, &err))
            (void)!connection_hear(c, &arena, c->settings->quit_timeout_us, &reply, &err); /* whatever it says */
    }
    connection_close(c, false);
}

/* ---- listening ---- */

static void tell_oddity(void *arg, enum reply_oddity what, slice text)
{
    const struct connection *c = arg;

    switch (what) {
    case REPLY_LINE_LONG:
        event_warning("%s: response longer than %d: %.*s...", c->relay, REPLY_TEXT_MOST, S_ARG(slice_head(text, 30)));
        break;
    case REPLY_LONG:
        event_warning("%s: multi-line response longer than %d %.*s...", c->relay, REPLY_TEXT_MOST,
                      S_ARG(slice_head(text, 30)));
        break;
    case REPLY_STRAY:
        if ((c->features & HAS_PIPELINING) == 0)
            break;
        event_warning("%.*s: non-%s response from %s: %.*s", S_ARG(c->queue_id), c->settings->lmtp ? "LMTP" : "ESMTP",
                      c->relay, S_ARG(slice_head(text, 100)));
        event_warning("to prevent loss of mail, turn off command pipelining for %s with the %s parameter", c->address,
                      c->settings->lmtp ? "lmtp_discard_lhlo_keyword_address_maps"
                                        : "smtp_discard_ehlo_keyword_address_maps");
        break;
    }
}

bool connection_hear(struct connection *c, struct arena *arena, int64_t timeout_us, struct reply *reply,
                     struct err *err)
{
    const struct reply_watch watch = {tell_oddity, c};

    return reply_read(c->stream, arena, deadline_in(timeout_us), &watch, reply, err);
}

bool connection_ask(struct connection *c, slice line, int64_t timeout_us, struct arena *arena, struct reply *reply,
                    struct err *err)
{
    deadline by = deadline_in(timeout_us);

    return stream_write(c->stream, line, by, err) && stream_write(c->stream, S("\r\n"), by, err) &&
           stream_flush(c->stream, by, err) && connection_hear(c, arena, timeout_us, reply, err);
}

/* ---- greeting ---- */

static unsigned feature_bit(slice keyword)
{
#define CONNECTION_FEATURE_TEST(name, text) \
    if (slice_eq_case(keyword, S(text)))    \
        return HAS_##name;
    CONNECTION_FEATURES(CONNECTION_FEATURE_TEST)
    return 0;
}

static bool is_listed(slice list, slice keyword)
{
    slice word;

    while (cut_word(&list, ", \t\r\n", &word))
        if (slice_eq_case(word, keyword))
            return true;
    return false;
}

unsigned connection_features(slice text, slice discard, int64_t *size_limit, slice *bad_size)
{
    unsigned features = 0;
    struct reply_line r;
    slice line, word;

    *size_limit = 0;
    *bad_size = S("");
    (void)cut_field(&text, '\n', &line); /* the server's name */
    while (cut_field(&text, '\n', &line)) {
        slice rest;

        if (!reply_line_parse(line, &r))
            continue;
        rest = r.text;
        if (!cut_word(&rest, " \t", &word) || is_listed(discard, word))
            continue;
        features |= feature_bit(word);
        if (!slice_eq_case(word, S("SIZE")) || !cut_word(&rest, " \t", &word))
            continue;
        for (size_t i = 0; i < word.n; i++)
            if (!ascii_is_digit(word.p[i]))
                *bad_size = word;
        if (bad_size->n > 0 || !slice_to_i64(word, size_limit))
            *size_limit = 0;
    }
    return features;
}

/* The first word of a greeting or of a reply to EHLO: is it our own name, on the port where we would listen ourselves?
 */
static bool is_my_name(const struct connection *c, const struct reply *reply)
{
    slice text = reply->text, word;

    text = slice_skip(slice_head(text, slice_find(text, '\n') == SLICE_NONE ? text.n : slice_find(text, '\n')), 4);
    return c->port == 25 && !c->settings->lmtp && cut_word(&text, " \t", &word) &&
           slice_eq_case(word, slice_text(c->settings->params->myhostname));
}

/* Greets us, or *WHY. */
static bool hear_greeting(struct connection *c, struct arena *arena, struct outcome *why)
{
    const struct settings *s = c->settings;
    struct reply reply;
    struct err err;

    if (!connection_hear(c, arena, s->hello_timeout_us, &reply, &err)) {
        c->broken = true;
        *why = verdict_lost(c, PHASE_GREETING, &err, arena);
        return false;
    }
    if (reply.code / 100 != 2) {
        *why = verdict_refused(c, &reply, s->skip_5xx_greeting, arena);
        return false;
    }
    if (is_my_name(c, &reply))
        event_warning("host %s greeted me with my own hostname %s", c->relay, s->params->myhostname);
    return true;
}

static bool say_hello(struct connection *c, const char *verb, enum phase phase, struct arena *arena,
                      struct reply *reply, struct outcome *why)
{
    const struct settings *s = c->settings;
    slice line = arena_format(arena, S("HELO localhost"), "%s %s", verb, s->hello_name);
    struct err err;

    if (connection_ask(c, line, s->hello_timeout_us, arena, reply, &err))
        return true;
    c->broken = true;
    *why = verdict_lost(c, phase, &err, arena);
    return false;
}

/* The server takes EHLO: what does it offer?  False: it is ourselves. */
static bool learn(struct connection *c, const struct destination *d, const struct reply *reply, struct arena *arena,
                  struct outcome *why)
{
    const struct settings *s = c->settings;
    slice reason, bad_size;

    if (is_my_name(c, reply)) {
        event_warning("host %s replied to HELO/EHLO with my own hostname %s", c->relay, s->params->myhostname);
        reason =
            arena_format(arena, S("mail loops back to myself"), "mail for %.*s loops back to myself", S_ARG(d->text));
        *why = verdict_unfit(c, (struct dsn_code){5, 4, 6}, reason, arena);
        return false;
    }
    c->features = connection_features(reply->text, slice_text(s->discard_keywords), &c->size_limit, &bad_size);
    if (bad_size.n > 0)
        event_warning("bad EHLO SIZE limit \"%.*s\" from %s", S_ARG(bad_size), c->relay);
    if ((c->features & HAS_SMTPUTF8) && !(c->features & HAS_8BITMIME))
        event_info("host %s offers SMTPUTF8 support, but not 8BITMIME", c->label);
    return true;
}

static bool greet(struct connection *c, const struct destination *d, struct arena *arena, struct outcome *why)
{
    const struct settings *s = c->settings;
    struct reply reply;

    if (!hear_greeting(c, arena, why))
        return false;
    if (!s->only_helo) {
        if (!say_hello(c, s->hello_verb, PHASE_EHLO, arena, &reply, why))
            return false;
        if (reply.code / 100 == 2)
            return learn(c, d, &reply, arena, why);
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

/* ---- connecting ---- */

static bool bind_address(const struct settings *s, int family, struct endpoint *from)
{
    const char *text = family == AF_INET6 ? s->bind_address6 : s->bind_address;

    return text[0] != '\0' && endpoint_parse(slice_text(text), from) && from->u.any.sa_family == family;
}

static int connect_to(const struct target *t, const struct settings *s, struct err *err)
{
    deadline by = deadline_in(s->connect_timeout_us > 0 ? s->connect_timeout_us : SECONDS(3600));
    struct endpoint from;

    if (t->path.n > 0)
        return local_connect(t->path.p, by, err);
    return inet_connect(&t->address, bind_address(s, t->address.u.any.sa_family, &from) ? &from : NULL, by, err);
}

struct connection *connection_open(const struct destination *d, const struct target *t, const struct settings *settings,
                                   slice queue_id, struct arena *arena, struct outcome *why)
{
    struct connection *c = connection_new(d, t, settings, queue_id);
    struct err err;
    int fd = connect_to(t, settings, &err);

    if (fd < 0) {
        const char *what = err.kind == ERR_SYS       ? strerror(err.sys)
                           : err.kind == ERR_TIMEOUT ? "Connection timed out"
                                                     : err.text;
        slice reason = arena_format(arena, S("connect failed"), "connect to %s: %s", c->relay, what);

        if (t->path.n == 0)
            event_info("%.*s", S_ARG(reason));
        *why = (struct outcome){.kind = OUTCOME_DEFERRED, .dsn = {4, 4, 1}, .reason = reason, .relay = S("none")};
        connection_close(c, false);
        return NULL;
    }
    c->stream = stream_open(fd);
    if (!greet(c, d, arena, why)) {
        connection_part(c);
        return NULL;
    }
    return c;
}
