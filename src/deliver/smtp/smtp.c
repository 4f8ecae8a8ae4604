/* smtp(8), lmtp(8): delivers by SMTP or LMTP.  Which server next, until every recipient has an outcome. */
#include "core/base/bug.h"
#include "core/base/cut.h"
#include "deliver/smtp/cache.h"
#include "deliver/smtp/connect.h"
#include "deliver/smtp/own.h"
#include "deliver/smtp/transaction.h"
#include "mail/agent/filter.h"
#include "mail/events/events.h"
#include "mail/service/service.h"
#include "mail/syntax/address.h"

static struct settings settings;
static struct dns *resolver;
static struct agent_filter *filter;

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

/* About a notice nobody needs another one. */
static bool is_notice(slice sender)
{
    slice local, domain;

    address_split(sender, &local, &domain);
    return sender.n == 0 || slice_eq_case(local, slice_text(service_params()->double_bounce_sender));
}

static void leave(struct delivery *d, struct connection *c)
{
    if (is_notice(d->request->wire.sender))
        transcript_forget(&c->transcript);
    if (d->keep && !c->broken) {
        connection_tell_postmaster(c);
        cache_put(c);
    } else {
        connection_part(c);
    }
}

/* Are connections to DEST used again: because qmgr asks for it by FLAG, or always (smtp_connection_cache_destinations)?
 */
static bool keeps(const struct agent_request *r, const struct destination *dest, int64_t flag)
{
    struct err unused;

    if (settings.connection_cache_on_demand && (r->wire.flags & flag) != 0)
        return true;
    return match_list_has(settings.cached, dest->path.n > 0 ? dest->path : dest->host, S(""),
                          deadline_in(settings.params->ipc_timeout_us), &unused) == TABLE_FOUND;
}

/* Another message over idle connections.  One that had gone stale before it said anything has neither taken nor refused
 * the message: the next one, or a new one, gets it. */
static void over_idle(struct delivery *d, const struct destination *dest)
{
    struct connection *c;

    while (keeps(d->request, dest, DELIVERY_CACHE_LOAD) && (c = cache_take(dest->text)) != NULL) {
        struct outcome why;
        enum transaction_end end;

        c->queue_id = d->request->wire.queue_id;
        connected_now(d, c);
        d->last_server = false;
        end = transaction_run(d, c, &why);
        if (end == TRANSACTION_LOST)
            reset_soft(d, &why);
        leave(d, c);
        if (end != TRANSACTION_LOST_EARLY)
            return;
    }
}

/* Trouble with a server that is not the last one: the delivery line will name another, so this one is told of here. */
static void tell_trouble(const struct delivery *d, const struct outcome *why)
{
    if (!d->last_server && !slice_eq(why->relay, S("none")))
        event_info("%.*s: %.*s", S_ARG(d->request->wire.queue_id), S_ARG(why->reason));
}

/* This server is no use, or not now. */
static void note_trouble(struct delivery *d, const struct outcome *why)
{
    reset_soft(d, why);
    if (why->kind == OUTCOME_BOUNCED) { /* it is the mail, not the server */
        settle_rest(d);
        return;
    }
    tell_trouble(d, why);
    if (d->last_server)
        agent_destination_failed(d->request, why);
}

/* One server, freshly connected.  True: it talked to us.  LAST_SESSION: then no other one is asked. */
static bool over_new(struct delivery *d, const struct destination *dest, const struct target *target, bool last_session)
{
    struct outcome why = {0};
    const struct errand errand = {.queue_id = d->request->wire.queue_id,
                                  .age_us = clock_wall_us() - d->request->times.arrival_us,
                                  .arena = d->request->arena};
    struct connection *c = connection_open(dest, target, &settings, &errand, &why);

    if (c == NULL) {
        note_trouble(d, &why);
        return false;
    }
    connected_now(d, c);
    d->last_server = d->last_server || last_session;
    if (transaction_run(d, c, &why) != TRANSACTION_DONE)
        note_trouble(d, &why);
    leave(d, c);
    return true;
}

/* best_mx_transport: who takes mail of which this machine is the best server. */
static void pass_on(struct delivery *d)
{
    slice rest = slice_text(settings.params->best_mx_transport), transport = rest;

    if (!cut_until(&rest, ':', &transport))
        rest = S("");
    for (size_t i = 0; i < d->request->recipient_count; i++) {
        struct outcome o;
        struct err err;

        if (d->progress[i] != RCPT_TODO)
            continue;
        if (agent_pass(d->request, &d->request->recipients[i], transport, rest.n > 0 ? rest : d->request->wire.nexthop,
                       &o, &err)) {
            agent_settle(d->request, i, o.kind != OUTCOME_DEFERRED);
            d->progress[i] = RCPT_SETTLED;
            d->todo--;
        } else {
            event_warning("%.*s: %s", S_ARG(d->request->wire.queue_id), err.text);
            d->soft[i] = outcome_from_err(&err);
        }
    }
}

/* No server is known, or none but ourselves. */
static void without_server(struct delivery *d, const struct outcome *why, bool last_destination, enum own_place own)
{
    reset_soft(d, why);
    if (own == OWN_IS_BEST && settings.params->best_mx_transport[0] != '\0')
        pass_on(d);
    else if (last_destination && why->kind == OUTCOME_DEFERRED)
        agent_destination_failed(d->request, why);
}

/* *IS_MINE: this machine is one of the servers, and no others may be asked. */
static void to_destination(struct delivery *d, const struct destination *dest, bool last_destination, bool *is_mine)
{
    struct target *target;
    struct outcome why;
    int sessions = 0, most = settings.mx_session_limit;
    enum own_place own = OWN_IS_NONE;
    bool found;

    d->keep = keeps(d->request, dest, DELIVERY_CACHE_STORE);
    over_idle(d, dest);
    if (d->todo == 0)
        return;
    found = destination_targets(dest, &settings, resolver, d->request->arena, deadline_in(SECONDS(300)), &target, &why,
                                &own);
    *is_mine = own != OWN_IS_NONE;
    if (!found) {
        without_server(d, &why, last_destination, own);
        return;
    }
    last_destination = last_destination || *is_mine;
    for (; target != NULL && d->todo > 0; target = target->next) {
        bool last_session = most > 0 && sessions + 1 >= most;

        d->last_server = last_destination && target->next == NULL;
        if (over_new(d, dest, target, last_destination && last_session) && most > 0 && ++sessions >= most)
            return;
    }
}

static bool delivery_begin(struct delivery *d, struct agent_request *r)
{
    *d = (struct delivery){.request = r, .settings = &settings, .todo = r->recipient_count};
    d->progress = arena_alloc_array(r->arena, r->recipient_count, sizeof *d->progress);
    d->soft = arena_alloc_array(r->arena, r->recipient_count, sizeof *d->soft);
    return d->progress != NULL && d->soft != NULL;
}

/* The next destination of LIST.  The path of a UNIX socket is all of it. */
static bool cut_destination(slice *list, slice *word)
{
    if (!settings.lmtp || !slice_starts(*list, S("unix:")))
        return cut_word(list, ", \t", word);
    *word = *list;
    *list = S("");
    return true;
}

static bool parse(slice word, struct destination *out)
{
    return settings.lmtp ? destination_parse_lmtp(word, settings.default_port, out)
                         : destination_parse(word, settings.default_port, out);
}

/* The destinations of LIST in order.  False: no others may follow.  MORE: others will, if need be. */
static bool to_list(struct delivery *d, slice list, bool more)
{
    bool is_mine = false;
    slice word;

    while (d->todo > 0 && !is_mine && cut_destination(&list, &word)) {
        struct destination dest;

        if (parse(word, &dest)) {
            to_destination(d, &dest, !more && slice_trim(list).n == 0, &is_mine);
        } else {
            slice reason =
                arena_format(d->request->arena, S("bad destination"), "invalid destination: %.*s", S_ARG(word));

            event_warning("%.*s", S_ARG(reason));
            reset_soft(
                d, &(struct outcome){.kind = OUTCOME_DEFERRED, .dsn = {4, 3, 5}, .reason = reason, .relay = S("none")});
        }
    }
    return !is_mine;
}

/* Who is asked when no server of the next hop would do. */
static slice fallback_of(const struct agent_request *r)
{
    slice fallback = slice_trim(slice_text(settings.fallback_relay));

    if (fallback.n == 0 || !settings.lmtp || !slice_starts(r->wire.nexthop, S("unix:")))
        return fallback;
    event_warning("ignoring \"lmtp_fallback_relay = %.*s\" setting for non-TCP connections", S_ARG(fallback));
    return S("");
}

static void deliver(struct agent_request *r)
{
    slice fallback = fallback_of(r);
    struct delivery d;

    r->filter = filter;
    if (!delivery_begin(&d, r))
        return; /* the frame defers what was not reported */
    reset_soft(&d,
               &(struct outcome){
                   .kind = OUTCOME_DEFERRED, .dsn = {4, 3, 0}, .reason = S("no server to try"), .relay = S("none")});
    if (to_list(&d, r->wire.nexthop, fallback.n > 0) && fallback.n > 0)
        (void)to_list(&d, fallback, false);
    settle_rest(&d);
}

static void client(struct stream *s)
{
    agent_serve(s, deliver);
}

static bool tables_are_new(void *arg, struct buf *name)
{
    (void)arg;
    return settings_changed(&settings, name) || agent_filter_changed(filter, name);
}

static bool open_all(struct service_run *run, struct err *err)
{
    bool lmtp = slice_eq(slice_text(run->program), S("lmtp"));

    settings_init(&settings, run->params, lmtp);
    filter = agent_filter_open(
        lmtp ? "lmtp_delivery_status_filter" : "smtp_delivery_status_filter",
        lmtp ? run->params->lmtp_delivery_status_filter : run->params->smtp_delivery_status_filter, err);
    service_watch(tables_are_new, NULL);
    destination_open(run->params);
    return filter != NULL && settings_open(&settings, err) && own_addresses_load(run->params, err);
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
        .needs = {.may = SANDBOX_NAMES | SANDBOX_SERVICES | SANDBOX_INTERNET, .updates = "active"},
        .pre_start = open_all,
        .start = start,
        .client = client,
        .stop = stop,
        .stop_grace_us = MILLIS(500),
    };

    return service_main(&smtp, argc, argv);
}
