#include "deliver/smtp/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "mail/events/events.h"

static slice spaced(slice text, struct arena *arena)
{
    slice out = S("");

    if (!arena_copy(arena, text, &out))
        return text;
    for (size_t i = 0; i < out.n; i++)
        if (out.p[i] == '\n')
            ((char *)out.p)[i] = ' '; /* our own copy */
    return out;
}

struct outcome outcome_lost(const struct connection *c, enum phase phase, const struct err *err, struct arena *arena)
{
    static const char *const doing[] = {
        [PHASE_GREETING] = "receiving the initial server greeting",
        [PHASE_EHLO] = "performing the EHLO handshake",
        [PHASE_HELO] = "performing the HELO handshake",
        [PHASE_MAIL] = "sending MAIL FROM",
        [PHASE_RCPT] = "sending RCPT TO",
        [PHASE_DATA] = "sending DATA command",
        [PHASE_BODY] = "sending message body",
        [PHASE_DONE] = "sending end of data -- message may be sent more than once",
    };
    slice reason = S("lost connection"), relay = S("none");

    reason = arena_format(arena, reason, err->kind == ERR_TIMEOUT ? "conversation with %s timed out while %s"
                                                                : "lost connection with %s while %s",
                       c->label, doing[phase]);
    relay = arena_keep(arena, slice_text(c->relay), relay);
    return (struct outcome){.kind = OUTCOME_DEFERRED, .dsn = {4, 4, 2}, .reason = reason, .relay = relay};
}

struct outcome outcome_said(const struct connection *c, const struct reply *reply, const char *command, struct arena *arena)
{
    slice text = spaced(reply->text, arena), reason = text, relay = S("none"), host = S("");

    reason = arena_format(arena, reason, "host %s said: %.*s (in reply to %s command)", c->label, S_ARG(text), command);
    relay = arena_keep(arena, slice_text(c->relay), relay);
    host = arena_keep(arena, slice_text(c->host), host);
    /* A reply that is neither yes nor no where only these make sense will not get better: a protocol error. */
    return (struct outcome){
        .kind = reply->code / 100 == 4 ? OUTCOME_DEFERRED : OUTCOME_BOUNCED,
        .dsn = reply->code / 100 == 4 || reply->code / 100 == 5 ? reply->dsn : (struct dsn_code){5, 5, 0},
        .reason = reason,
        .diag_type = S("smtp"),
        .diag_text = text,
        .mta_type = S("dns"),
        .mta_name = host,
        .relay = relay,
    };
}

static struct connection *connection_new(const struct destination *d, const struct target *t)
{
    struct connection *c = xcalloc(1, sizeof *c);
    char address[ENDPOINT_TEXT];

    endpoint_print(&t->address, address);
    list_init(&c->idle);
    c->key = xstrndup(d->text.p, d->text.n);
    (void)snprintf(c->host, sizeof c->host, "%.*s", S_ARG(t->host));
    (void)snprintf(c->label, sizeof c->label, "%s[%s]", c->host, address);
    (void)snprintf(c->relay, sizeof c->relay, "%s:%u", c->label, endpoint_port(&t->address));
    return c;
}

void connection_close(struct connection *c, bool bye)
{
    if (c == NULL)
        return;
    if (bye && !c->broken && c->stream != NULL) /* also called by a timer: must not wait */
        (void)!send(stream_fd(c->stream), "QUIT\r\n", 6, MSG_DONTWAIT | MSG_NOSIGNAL);
    timer_clear(&c->expiry);
    list_remove(&c->idle);
    stream_close(c->stream);
    free(c->key);
    free(c);
}

/* The server itself does not want to talk.  TRY_LATER: a 5xx here means the server, not the mail. */
static struct outcome refused(const struct connection *c, const struct reply *reply, bool try_later, struct arena *arena)
{
    struct outcome o = outcome_said(c, reply, "", arena);
    slice reason = o.reason;

    reason = arena_format(arena, reason, "host %s refused to talk to me: %.*s", c->label, S_ARG(o.diag_text));
    o.reason = reason;
    if (reply->code / 100 == 5 && try_later) {
        o.kind = OUTCOME_DEFERRED;
        o.dsn.class = 4;
    }
    return o;
}

static void learn_features(struct connection *c, slice text)
{
    slice line;

    c->features = HAS_ESMTP;
    (void)cut_field(&text, '\n', &line); /* the server's name */
    while (cut_field(&text, '\n', &line)) {
        struct reply_line r;
        slice word, rest;

        if (!reply_line_parse(line, &r))
            continue;
        rest = r.text;
        if (!cut_word(&rest, " \t", &word))
            continue;
        if (slice_eq_case(word, S("PIPELINING")))
            c->features |= HAS_PIPELINING;
        else if (slice_eq_case(word, S("8BITMIME")))
            c->features |= HAS_8BITMIME;
        else if (slice_eq_case(word, S("SIZE"))) {
            c->features |= HAS_SIZE;
            if (!cut_word(&rest, " \t", &word) || !slice_to_i64(word, &c->size_limit) || c->size_limit < 0)
                c->size_limit = 0;
        }
    }
}

/* One "VERB argument" and its reply. */
static bool say(struct connection *c, const char *verb, const char *argument, int64_t timeout_us, struct arena *arena,
                struct reply *reply, struct err *err)
{
    deadline by = deadline_in(timeout_us);

    return stream_printf(c->stream, by, err, "%s %s\r\n", verb, argument) && stream_flush(c->stream, by, err) &&
           reply_read(c->stream, arena, by, reply, err);
}

static bool greet(struct connection *c, const struct params *p, struct arena *arena, struct outcome *why)
{
    struct reply reply;
    struct err err;

    if (!reply_read(c->stream, arena, deadline_in(p->smtp_helo_timeout_us), &reply, &err)) {
        *why = outcome_lost(c, PHASE_GREETING, &err, arena);
        return false;
    }
    if (reply.code / 100 != 2) {
        *why = refused(c, &reply, p->smtp_skip_5xx_greeting, arena);
        return false;
    }
    if (!p->smtp_never_send_ehlo) {
        if (!say(c, "EHLO", p->smtp_helo_name, p->smtp_helo_timeout_us, arena, &reply, &err)) {
            *why = outcome_lost(c, PHASE_EHLO, &err, arena);
            return false;
        }
        if (reply.code / 100 == 2) {
            learn_features(c, reply.text);
            return true;
        }
        if (reply.code == 421) {
            *why = refused(c, &reply, true, arena);
            return false;
        }
    }
    if (!say(c, "HELO", p->smtp_helo_name, p->smtp_helo_timeout_us, arena, &reply, &err)) {
        *why = outcome_lost(c, PHASE_HELO, &err, arena);
        return false;
    }
    if (reply.code / 100 == 2)
        return true;
    *why = refused(c, &reply, false, arena);
    return false;
}

static bool bind_address(const struct params *p, int family, struct endpoint *from)
{
    const char *text = family == AF_INET6 ? p->smtp_bind_address6 : p->smtp_bind_address;

    return text[0] != '\0' && endpoint_parse(slice_text(text), from) && from->u.any.sa_family == family;
}

struct connection *connection_open(const struct destination *d, const struct target *t, struct params *params,
                                   struct arena *arena, struct outcome *why)
{
    struct connection *c = connection_new(d, t);
    struct endpoint from;
    bool bound = bind_address(params, t->address.u.any.sa_family, &from);
    struct err err;
    int fd = inet_connect(&t->address, bound ? &from : NULL, deadline_in(params->smtp_connect_timeout_us), &err);

    if (fd < 0) {
        slice reason = S("connect failed");
        const char *what = err.kind == ERR_SYS ? strerror(err.sys) : err.kind == ERR_TIMEOUT ? "Connection timed out" : err.text;

        reason = arena_format(arena, reason, "connect to %s: %s", c->relay, what);
        event_info("%.*s", S_ARG(reason));
        *why = (struct outcome){.kind = OUTCOME_DEFERRED, .dsn = {4, 4, 1}, .reason = reason, .relay = S("none")};
        connection_close(c, false);
        return NULL;
    }
    c->stream = stream_open(fd);
    if (!greet(c, params, arena, why)) {
        connection_close(c, true);
        return NULL;
    }
    return c;
}

/* ---- idle connections ---- */
static struct list idle = {&idle, &idle};
static unsigned idle_count;
enum { IDLE_MOST = 500 };

static void expire(void *arg)
{
    idle_count--;
    connection_close(arg, true);
}

struct connection *cache_take(slice key)
{
    LIST_EACH(at, &idle) {
        struct connection *c = LIST_ENTRY(at, struct connection, idle);
        bool closed = false;
        struct err err;

        if (!slice_eq(slice_text(c->key), key))
            continue;
        list_remove(&c->idle);
        timer_clear(&c->expiry);
        idle_count--;
        /* Nothing may come from an idle server but its farewell. */
        if (stream_buffered(c->stream) == 0 && !stream_wait_peer(c->stream, AT_ONCE, &closed, &err) && err.kind == ERR_TIMEOUT)
            return c;
        connection_close(c, false);
    }
    return NULL;
}

void cache_put(struct connection *c, int64_t limit_us)
{
    if (c->broken || idle_count >= IDLE_MOST) {
        connection_close(c, true);
        return;
    }
    c->uses++;
    list_push_front(&idle, &c->idle);
    idle_count++;
    timer_set(&c->expiry, deadline_in(limit_us), expire, c);
}

void cache_close_all(void)
{
    LIST_EACH(at, &idle) {
        idle_count--;
        connection_close(LIST_ENTRY(at, struct connection, idle), true);
    }
}
