/* smtp(8): delivers by SMTP.  Which server next, until every recipient has an outcome. */
#include "core/base/bug.h"
#include "core/base/cut.h"
#include "deliver/smtp/transaction.h"
#include "mail/events/events.h"
#include "mail/service/service.h"

static struct params *params;
static struct dns *resolver;

enum { SMTP_PORT = 25 };

static void reset_soft(struct delivery *d, const struct outcome *o)
{
    for (size_t i = 0; i < d->request->recipient_count; i++)
        if (d->progress[i] == RCPT_TODO)
            d->soft[i] = *o;
}

/* The last word for those nobody took: what they were told last. */
static void settle_rest(struct delivery *d)
{
    for (size_t i = 0; i < d->request->recipient_count; i++)
        if (d->progress[i] == RCPT_TODO)
            delivery_settle(d, i, &d->soft[i]);
}

static void connected_now(struct delivery *d, const struct connection *c)
{
    d->request->times.connected_us = clock_wall_us();
    d->request->times.connection_reuses = (int)c->uses;
}

static void part(struct delivery *d, struct connection *c)
{
    if (d->keep && !c->broken)
        cache_put(c, d->params->smtp_connection_cache_time_limit_us);
    else
        connection_close(c, !c->broken);
}

/* Another message over an idle connection.  False: none, or it had gone stale before it said anything. */
static bool over_idle(struct delivery *d, const struct destination *dest)
{
    struct connection *c;
    struct outcome why;
    enum transaction_end end;

    if ((d->request->wire.flags & DELIVERY_CACHE_LOAD) == 0)
        return false;
    c = cache_take(dest->text);
    if (c == NULL)
        return false;
    connected_now(d, c);
    d->last_server = false;
    end = transaction_run(d, c, &why);
    if (end == TRANSACTION_LOST)
        reset_soft(d, &why);
    part(d, c);
    return end != TRANSACTION_LOST_EARLY && d->todo == 0;
}

/* Trouble with a server that is not the last one: the delivery line will name another, so this one is told of here. */
static void tell_trouble(const struct delivery *d, const struct outcome *why)
{
    if (!d->last_server && !slice_eq(why->relay, S("none")))
        event_info("%.*s: %.*s", S_ARG(d->request->wire.queue_id), S_ARG(why->reason));
}

/* One server, freshly connected.  True: it talked to us. */
static bool over_new(struct delivery *d, const struct destination *dest, const struct target *target)
{
    struct outcome why = {0};
    struct connection *c = connection_open(dest, target, d->params, d->request->arena, &why);

    if (c == NULL) {
        reset_soft(d, &why);
        tell_trouble(d, &why);
        if (d->last_server)
            agent_destination_failed(d->request, &why);
        return false;
    }
    connected_now(d, c);
    if (transaction_run(d, c, &why) != TRANSACTION_DONE) {
        reset_soft(d, &why);
        tell_trouble(d, &why);
        if (d->last_server)
            agent_destination_failed(d->request, &why);
    }
    part(d, c);
    return true;
}

static void to_destination(struct delivery *d, const struct destination *dest, bool last_destination)
{
    struct target *target;
    struct outcome why;
    int sessions = 0, most = d->params->smtp_mx_session_limit;

    if (over_idle(d, dest) || d->todo == 0)
        return;
    if (!destination_targets(dest, d->params, resolver, d->request->arena, deadline_in(SECONDS(300)), &target, &why)) {
        reset_soft(d, &why);
        if (last_destination && why.kind == OUTCOME_DEFERRED)
            agent_destination_failed(d->request, &why);
        return;
    }
    for (; target != NULL && d->todo > 0; target = target->next) {
        bool last_session = most > 0 && sessions + 1 >= most;

        d->last_server = last_destination && (target->next == NULL || last_session);
        if (over_new(d, dest, target) && most > 0 && ++sessions >= most)
            return;
    }
}

static bool delivery_begin(struct delivery *d, struct agent_request *r)
{
    *d = (struct delivery){.request = r, .params = params, .todo = r->recipient_count};
    d->progress = arena_alloc_array(r->arena, r->recipient_count, sizeof *d->progress);
    d->soft = arena_alloc_array(r->arena, r->recipient_count, sizeof *d->soft);
    d->keep = (r->wire.flags & DELIVERY_CACHE_STORE) != 0;
    return d->progress != NULL && d->soft != NULL;
}

static void deliver(struct agent_request *r)
{
    slice list = r->wire.nexthop, word;
    struct delivery d;

    if (!delivery_begin(&d, r))
        return; /* the frame defers what was not reported */
    reset_soft(&d, &(struct outcome){.kind = OUTCOME_DEFERRED, .dsn = {4, 3, 0}, .reason = S("no server to try"), .relay = S("none")});
    while (d.todo > 0 && cut_word(&list, ", \t", &word)) {
        struct destination dest;

        if (!destination_parse(word, SMTP_PORT, &dest)) {
            slice reason = S("bad destination");

            reason = arena_format(r->arena, reason, "invalid destination: %.*s", S_ARG(word));
            reset_soft(&d, &(struct outcome){.kind = OUTCOME_DEFERRED, .dsn = {4, 3, 5}, .reason = reason, .relay = S("none")});
            continue;
        }
        to_destination(&d, &dest, slice_trim(list).n == 0);
    }
    settle_rest(&d);
}

static void client(struct stream *s)
{
    agent_serve(s, deliver);
}

static bool open_all(struct service_run *run, struct err *err)
{
    params = run->params;
    return own_addresses_load(params, err);
}

/* The resolver's sockets belong to the loop. */
static bool start(struct service_run *run, struct err *err)
{
    (void)run;
    resolver = dns_open(err);
    return resolver != NULL;
}

static void stop(void)
{
    cache_close_all();
}

int main(int argc, char **argv)
{
    static const struct service smtp = {
        .name = "smtp",
        .instances = SERVICE_ANY,
        .flags = SERVICE_AGENT,
        .pre_start = open_all,
        .start = start,
        .client = client,
        .stop = stop,
    };

    return service_main(&smtp, argc, argv);
}
