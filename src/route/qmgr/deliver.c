#include "route/qmgr/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/file.h"
#include "core/net/endpoint.h"
#include "mail/envelope/verp.h"
#include "mail/events/events.h"
#include "mail/proto/delivery.h"
#include "mail/queue/dir.h"
#include "route/qmgr/entry.h"
#include "route/qmgr/finish.h"
#include "route/qmgr/route.h"
#include "route/qmgr/state.h"

enum {
    MOST_ASKING = 2, /* connections of one transport on which it is not known whether an agent is free */
    AGENT_ARENA_BYTES = 256 * 1024,
    ADDRESS_MOST = 16384,
};

static const char unavailable[] = "4.3.0 mail transport unavailable";
static const char unknown_error[] = "4.3.0 unknown mail transport error";

static deadline exchange_deadline(void)
{
    return deadline_in(qmgr.params->ipc_timeout_us);
}

static void transport_failed(struct transport *t, const char *reason)
{
    schedule_kill_transport(t, reason, clock_monotonic_us());
    route_away_transport(t);
    deliver_set_timer();
}

/* ---- connections ---- */

struct call {
    struct transport *transport;
    struct stream *stream;
    bool counted; /* as an agent that is there */
    bool greeted; /* its hello has been read */
};

static bool call_agent(struct call *c)
{
    AUTO_BUF struct buf path = BUF_INIT(300);
    char name[128];
    struct err err;
    int fd;

    (void)buf_addf(&path, "private/%s", c->transport->name);
    /* Callers are many and agents few: it may take as long as deliveries take. */
    fd = local_connect(buf_text(&path), deadline_in(qmgr.params->daemon_timeout_us), &err);
    if (fd < 0) {
        event_warning("connect to transport %s: %s", buf_text(&path), err.sys != 0 ? strerror(err.sys) : err.text);
        return false;
    }
    c->stream = stream_of_socket(fd);
    c->transport->calls++;
    (void)snprintf(name, sizeof name, "%s socket", buf_text(&path));
    stream_set_name(c->stream, name);
    return true;
}

static void hang_up(struct call *c)
{
    if (c->stream == NULL)
        return;
    stream_close(c->stream);
    c->stream = NULL;
    c->transport->calls--;
    c->transport->greeted -= c->counted;
}

static void count_agent(struct call *c)
{
    struct transport *t = c->transport;

    t->greeted += !c->counted;
    c->counted = true;
    if (t->greeted > t->greeted_most)
        t->greeted_most = t->greeted;
}

/* An agent's hello is the sign that one is free. */
static bool hear_hello(struct call *c, struct err *err)
{
    if (!c->greeted && !ipc_expect_hello(c->stream, DELIVERY_PROTOCOL, deadline_in(qmgr.params->daemon_timeout_us), err))
        return false;
    c->greeted = true;
    count_agent(c);
    return true;
}

/* While fewer deliveries are under way than agents have been seen at a time, one is free, and need not be waited for before
 * it is told what to do: two wake-ups less. */
static bool meet_agent(struct call *c)
{
    struct transport *t = c->transport;
    bool is_free = t->calls < t->greeted_most, met;
    struct err err;

    met = t->rest != DEAD && call_agent(c);
    if (met && !is_free && !hear_hello(c, &err)) {
        event_warning("%s: %s", stream_name(c->stream), err.text);
        hang_up(c);
        met = false;
    }
    if (met)
        count_agent(c);
    t->asking--;
    if (!met && t->rest != DEAD)
        transport_failed(t, unavailable);
    return met;
}

/* ---- the request ---- */

static int64_t request_flags(const struct message *m, const struct destination *d)
{
    int64_t flags = DELIVERY_BOUNCE | m->envelope.trace_flags;

    if (m->envelope.inspect.n == 0)
        flags |= DELIVERY_MARK_DONE;
    if (finish_confirms_delay(m))
        flags |= DELIVERY_LATE;
    if (d->back_to_back)
        flags |= DELIVERY_CACHE_LOAD | DELIVERY_CACHE_STORE;
    return flags;
}

/* Addresses beyond ASCII need a server that knows SMTPUTF8 */
static int64_t utf8_needs(const struct entry *e, int64_t sendopts)
{
    for (size_t i = 0; i < e->count; i++)
        for (size_t at = 0; at < e->recipients[i].address.n; at++)
            if ((unsigned char)e->recipients[i].address.p[at] >= 128)
                return sendopts | DELIVERY_UTF8_RECIPIENT;
    return sendopts;
}

/* The one recipient of the entry has a sender of his own. */
static slice sender_of(const struct entry *e, const struct envelope *v, struct buf *room)
{
    if (v->verp.n != 2 || v->sender.n == 0 || e->count != 1 || !verp_address(v->sender, v->verp, &e->recipients[0], room))
        return v->sender;
    return buf_slice(room);
}

static bool send_request(struct stream *s, const struct entry *e, struct err *err)
{
    AUTO_BUF struct buf sender = BUF_INIT(ADDRESS_MOST);
    const struct message *m = ((const struct batch *)e->owner)->message;
    const struct envelope *v = &m->envelope;
    const struct message_times times = {.arrival_us = v->arrival_us, .active_us = m->active_us};
    char bytes[MESSAGE_TIMES_BYTES];
    deadline by = exchange_deadline();
    struct delivery_request request = {
        .flags = request_flags(m, e->destination), .queue_name = S(QUEUE_ACTIVE), .queue_id = message_id(m),
        .offset = v->size.data_offset, .size = v->size.content_bytes, .nexthop = slice_text(e->destination->nexthop),
        .encoding = v->encoding, .smtputf8 = utf8_needs(e, v->sendopts), .sender = sender_of(e, v, &sender), .envelope_id = v->envelope_id,
        .ret_flags = v->ret_flags, .time = {bytes, sizeof bytes}, .log_client_name = v->client_name,
        .log_client_address = v->client_address, .log_client_port = v->client_port,
        .log_protocol_name = v->protocol_name, .log_helo_name = v->helo_name, .sasl_method = v->sasl_method,
        .sasl_username = v->sasl_username, .sasl_sender = v->sasl_sender, .log_ident = v->log_ident,
        .rewrite_context = v->rewrite_context, .recipient_count = (int64_t)e->count,
    };

    message_times_encode(&times, bytes);
    if (!ipc_write(s, &delivery_request_shape, &request, by, err))
        return false;
    for (size_t i = 0; i < e->count; i++) {
        const struct recipient *r = &e->recipients[i];
        const struct delivery_recipient one = {
            .original_recipient = r->original, .recipient = r->address, .offset = r->offset,
            .dsn_orig_rcpt = r->dsn_orig_rcpt, .notify_flags = r->notify,
        };

        if (!ipc_write(s, &delivery_recipient_shape, &one, by, err))
            return false;
    }
    return stream_flush(s, by, err);
}

static bool read_answer(struct stream *s, struct arena *arena, struct delivery_answer *answer, struct err *err)
{
    bool closed;

    if (!stream_wait_peer(s, deadline_in(qmgr.params->daemon_timeout_us), &closed, err))
        return false;
    if (closed)
        return err_set(err, ERR_PEER, "premature disconnect");
    switch (ipc_read(s, &delivery_answer_shape, arena, exchange_deadline(), answer, err)) {
    case IPC_MESSAGE_READ:
        return true;
    case IPC_END:
        return err_set(err, ERR_PEER, "premature disconnect");
    default:
        return false;
    }
}

/* ---- what the answer means ---- */

/* Why the destination is to blame, "4.4.1 text"; NULL: it is not. */
static char *blame(const struct delivery_answer *a)
{
    AUTO_BUF struct buf text = BUF_INIT(8000);
    struct dsn_code code;

    if (a->reason.n == 0)
        return NULL;
    if (!dsn_code_parse(a->status, &code) || code.class != 4)
        (void)buf_add(&text, S("4.3.0"));
    else
        (void)buf_add(&text, a->status);
    (void)buf_add_char(&text, ' ');
    for (size_t i = 0; i < a->reason.n; i++)
        (void)buf_add_char(&text, ascii_is_print(a->reason.p[i]) ? a->reason.p[i] : '?');
    return xstrndup(buf_text(&text), text.n);
}

/* The agent has not come, or gone in the middle: what it has not marked as done is still to do. */
static void agent_crashed(struct transport *t, struct entry *e, bool has_come)
{
    const char *reason = has_come ? unknown_error : unavailable;
    struct batch *b = e->owner;
    char path[QUEUE_PATH_MOST];

    if (t->rest != DEAD)
        transport_failed(t, reason);
    if (has_come)
        event_warning("transport %s failure -- see a previous warning/fatal/panic logfile record for the problem description",
                      t->name);
    AUTO_FD int fd = queue_path(&qmgr.layout, S(QUEUE_ACTIVE), message_id(b->message), path)
                         ? open(path, O_RDONLY | O_CLOEXEC)
                         : -1;
    for (size_t i = 0; i < e->count; i++) {
        struct transport *retry = schedule_transport(&qmgr.schedule, S("retry"));
        char type = 0;

        if (fd >= 0 && pread(fd, &type, 1, e->recipients[i].offset) == 1 && type == 'D')
            continue;
        /* Should the retry transport be dead too, the recipients wait in it until it has rested. */
        entry_add(&b->message->scheduled,
                     schedule_destination(retry, slice_text(reason), slice_text(reason)),
                     &e->recipients[i], 1, b);
        b->entries++;
    }
    entry_release(e, clock_monotonic_us());
}

static void deliver_entry(struct call *c, struct entry *e)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(AGENT_ARENA_BYTES);
    struct transport *t = c->transport;
    struct batch *b = e->owner;
    struct destination *d = e->destination;
    struct delivery_answer answer;
    struct err err;

    if (send_request(c->stream, e, &err) && hear_hello(c, &err) && read_answer(c->stream, &arena, &answer, &err)) {
        char *failure = blame(&answer);

        hang_up(c);
        if (answer.result != 0)
            b->message->deferred = true;
        if (entry_finish(e, failure, clock_monotonic_us()))
            route_away_destination(d);
        free(failure);
    } else {
        bool has_come = c->greeted;

        event_warning("%s: %s", stream_name(c->stream), err.text);
        hang_up(c);
        agent_crashed(t, e, has_come);
    }
    deliver_set_timer();
    deliver_kick(t);
    finish_entry(b);
}

static void deliver_run(void *arg)
{
    struct transport *t = arg;
    struct call c = {.transport = t};
    struct entry *e;

    if (!meet_agent(&c))
        return;
    e = entry_choose(t, clock_monotonic_us());
    deliver_kick(t);
    if (e == NULL) /* it was taken away meanwhile */
        hang_up(&c);
    else
        deliver_entry(&c, e);
}

void deliver_kick(struct transport *t)
{
    while (t->asking < MOST_ASKING && entry_wanted(t, t->asking)) {
        t->asking++;
        qmgr_spawn("deliver", deliver_run, t);
    }
}

/* ---- rests that end ---- */

void deliver_kick_all(void)
{
    MAP_EACH(each, &qmgr.schedule.transports)
        deliver_kick(each->value);
    deliver_set_timer();
}

static void wake(void *unused)
{
    struct transport *t;

    (void)unused;
    while ((t = schedule_wake(&qmgr.schedule, clock_monotonic_us())) != NULL)
        deliver_kick(t);
    deliver_set_timer();
}

void deliver_set_timer(void)
{
    int64_t at = schedule_next_wake(&qmgr.schedule);

    if (at == INT64_MAX)
        timer_clear(&qmgr.wake_timer);
    else
        timer_set(&qmgr.wake_timer, (deadline){at}, wake, NULL);
}
