#include "route/qmgr/route.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/events/events.h"
#include "mail/queue/dir.h"
#include "route/qmgr/clog.h"
#include "route/qmgr/entry.h"
#include "route/qmgr/state.h"

/* Where a recipient goes.  Names, not pointers: destinations may come and go while others are being resolved. */
struct route {
    struct recipient recipient;
    slice transport, nexthop, key;
    bool discard; /* to nowhere */
};

#define RETRY "retry"
#define ERROR "error"

static void route_set(struct route *r, slice transport, slice nexthop)
{
    r->transport = transport;
    r->nexthop = nexthop;
}

static slice domain_of(slice address)
{
    size_t at = slice_find_last(address, '@');

    return at == SLICE_NONE ? (slice){0} : slice_skip(address, at + 1);
}

static slice local_part_of(slice address)
{
    size_t at = slice_find_last(address, '@');

    return at == SLICE_NONE ? address : slice_head(address, at);
}

/* "transport:nexthop", either of which may be empty. */
static void split_filter(slice filter, struct route *r)
{
    slice transport, nexthop = filter;

    if (!cut_until(&nexthop, ':', &transport)) {
        transport = filter;
        nexthop = (slice){0};
    }
    if (nexthop.n == 0)
        nexthop = slice_text(qmgr.params->default_filter_nexthop);
    if (nexthop.n == 0)
        nexthop = domain_of(r->recipient.address);
    if (nexthop.n == 0)
        nexthop = slice_text(qmgr.params->myhostname);
    route_set(r, transport, nexthop);
}

/* Mail that reports a report's failure, and whose own delivery failed: the end of the chain. */
static bool is_double_bounce(slice address, int64_t flags)
{
    return (flags & RESOLVE_LOCAL) != 0 &&
           slice_eq_case(local_part_of(address), slice_text(qmgr.params->double_bounce_sender));
}

static void resolve(struct message *m, struct batch *b, struct route *r)
{
    struct resolved to;
    struct err err;

    if (!(m->is_probe ? address_resolve_probe : address_resolve)(qmgr.addresses, m->envelope.sender, r->recipient.address,
                                                              &b->arena, deadline_in(SECONDS(3600)), &to, &err)) {
        event_warning("%s: resolving a recipient: %s", m->id, err.text);
        route_set(r, S(RETRY), S("4.3.0 address resolver failure"));
        return;
    }
    if ((to.flags & RESOLVE_FAIL) != 0) {
        route_set(r, S(RETRY), S("4.3.0 address resolver failure"));
        return;
    }
    r->recipient.address = to.recipient;
    if ((to.flags & RESOLVE_ERROR) != 0 ||
        (to.recipient.n > 0 && to.recipient.p[0] == '-' && !qmgr.params->allow_min_user)) {
        route_set(r, S(ERROR), S("5.1.3 bad address syntax"));
        return;
    }
    if (is_double_bounce(to.recipient, to.flags)) {
        r->discard = true;
        return;
    }
    route_set(r, to.transport, to.nexthop);
}

static bool listed(slice list, slice name)
{
    slice word;

    while (cut_word(&list, ", \t\r\n", &word))
        if (slice_eq(word, name))
            return true;
    return false;
}

static void choose_route(struct message *m, struct batch *b, struct route *r)
{
    if (m->envelope.redirect.n > 0)
        r->recipient.address = m->envelope.redirect;
    if (m->expire)
        route_set(r, S(RETRY), S("4.7.0 message is administratively expired"));
    else if (m->is_probe && qmgr.probes > (size_t)qmgr.params->address_verify_pending_request_limit)
        route_set(r, S(RETRY), S("4.3.2 Too many address verification requests"));
    else if (m->envelope.filter.n > 0)
        split_filter(m->envelope.filter, r);
    else
        resolve(m, b, r);
    if (!m->press && r->transport.n > 0 && listed(slice_text(qmgr.params->defer_transports), r->transport))
        route_set(r, S(RETRY), S("4.3.2 deferred transport"));
    if (!r->discard && r->transport.n == 0)
        route_set(r, S(RETRY), S("4.3.0 unknown mail transport error"));
}

static slice lower_case(struct arena *arena, slice s)
{
    char *to = arena_text(arena, s);

    if (to == NULL)
        return s;
    for (size_t i = 0; i < s.n; i++)
        to[i] = ascii_lower(s.p[i]);
    return slice_of(to, s.n);
}

/* "user@nexthop" without address extension: where each user has a destination of his own. */
static slice user_key(struct arena *arena, const struct route *r, slice nexthop)
{
    slice user = local_part_of(r->recipient.address), key;
    size_t cut = slice_find_any(user, qmgr.params->recipient_delimiter);

    if (cut != SLICE_NONE && cut > 0)
        user = slice_head(user, cut);
    return arena_printf(arena, &key, "%.*s@%.*s", S_ARG(user), S_ARG(nexthop)) ? key : nexthop;
}

static void set_key(struct batch *b, struct route *r)
{
    struct transport *t = schedule_transport(&qmgr.schedule, r->transport);
    slice nexthop = lower_case(&b->arena, r->nexthop);

    r->key = t->rules.recipient_limit == 1 ? user_key(&b->arena, r, nexthop) : nexthop;
}

static int compare(const void *left, const void *right)
{
    const struct route *a = left, *b = right;
    int by = slice_cmp(a->transport, b->transport);

    if (by == 0)
        by = slice_cmp(a->key, b->key);
    if (by == 0)
        by = slice_cmp(domain_of(a->recipient.address), domain_of(b->recipient.address));
    if (by == 0)
        by = slice_cmp(a->recipient.address, b->recipient.address);
    return by != 0 ? by : (a->recipient.offset > b->recipient.offset) - (a->recipient.offset < b->recipient.offset);
}

/* ---- into the schedule ---- */

static void add_entries(struct batch *b, struct destination *d, const struct recipient *from, size_t count)
{
    struct message *m = b->message;
    size_t most = m->envelope.verp.n > 0 ? 1 : (size_t)d->transport->rules.recipient_limit;

    if (most == 0)
        most = count;
    for (size_t i = 0; i < count; i += most) {
        entry_add(&m->scheduled, d, from + i, count - i < most ? count - i : most, b);
        b->entries++;
    }
}

static struct destination *retry_destination(const char *reason)
{
    struct transport *retry = schedule_transport(&qmgr.schedule, S(RETRY));

    return schedule_destination(retry, slice_text(reason), slice_text(reason));
}

/* "4.4.1 connect to ..." as the retry transport is to say it. */
static char *suspended(const char *reason)
{
    AUTO_BUF struct buf text = BUF_INIT(10000);
    slice why = slice_text(reason), code;

    if (!cut_until(&why, ' ', &code))
        code = S("4.3.0");
    (void)buf_addf(&text, "%.*s delivery temporarily suspended: %.*s", S_ARG(code), S_ARG(why));
    return xstrndup(buf_text(&text), text.n);
}

static struct destination *place_of(const struct message *m, const struct route *r)
{
    struct transport *t = schedule_transport(&qmgr.schedule, r->transport);
    struct destination *d;
    char *reason;

    if (m->press)
        schedule_forgive_transport(t);
    if (t->rest == DEAD)
        return retry_destination(t->reason);
    d = schedule_destination(t, r->key, r->nexthop);
    if (m->press)
        schedule_forgive(d);
    if (d->rest != DEAD)
        return d;
    reason = suspended(d->reason);
    d = retry_destination(reason);
    free(reason);
    return d;
}

/* COUNT recipients with the same route. */
static void schedule_run(struct batch *b, const struct route *r, const struct recipient *from, size_t count)
{
    struct destination *d = place_of(b->message, r);
    struct transport *t = d->transport;

    add_entries(b, d, from, count);
    clog_check(d);
    if (t->rest == DEAD) /* the retry transport itself */
        route_away_transport(t);
}

static bool same_place(const struct route *a, const struct route *b)
{
    return slice_eq(a->transport, b->transport) && slice_eq(a->key, b->key);
}

static void schedule_routes(struct batch *b, const struct route *routes)
{
    size_t from = 0;

    for (size_t i = 0; i < b->count; i++)
        b->recipients[i] = routes[i].recipient;
    while (from < b->count && routes[from].discard)
        from++;
    for (size_t i = from; i < b->count; i++) {
        if (i + 1 < b->count && same_place(&routes[from], &routes[i + 1]))
            continue;
        schedule_run(b, &routes[from], b->recipients + from, i + 1 - from);
        from = i + 1;
    }
}

/* ---- what goes nowhere ---- */

static void discard(struct message *m, const struct recipient *r)
{
    const struct outcome outcome = {.kind = OUTCOME_DELIVERED,
                                    .dsn = {2, 0, 0},
                                    .reason = S("undeliverable postmaster notification discarded"),
                                    .relay = S("none")};
    struct message_times times = {.arrival_us = m->envelope.arrival_us, .active_us = m->active_us};
    char path[QUEUE_PATH_MOST];
    struct err err;

    event_attempt(&(struct event_attempt){.id = message_id(m),
                                          .recipient = r,
                                          .times = &times,
                                          .outcome = &outcome,
                                          .delay_digits = qmgr.params->delay_logging_resolution_limit});
    if (!queue_path(&qmgr.layout, S(QUEUE_ACTIVE), message_id(m), path))
        return;
    AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || !queue_mark(fd, r->offset, 'R', 'D', &err))
        event_warning("%s: cannot mark a recipient as done", path);
}

/* A redirected message has one recipient, whoever it was for, and however many are still to be read. */
static void keep_one(struct batch *b)
{
    struct message *m = b->message;

    if (m->envelope.redirect.n == 0 || b->count == 0)
        return;
    batch_forget(b, 1);
    m->cursor.next_offset = 0;
    m->scheduled.unread = 0;
}

void route_batch(struct batch *b)
{
    struct message *m = b->message;
    struct route *routes;

    keep_one(b);
    routes = xcalloc(b->count > 0 ? b->count : 1, sizeof *routes);
    for (size_t i = 0; i < b->count; i++) {
        routes[i].recipient = b->recipients[i];
        choose_route(m, b, &routes[i]);
    }
    for (size_t i = 0; i < b->count; i++) {
        if (routes[i].discard)
            discard(m, &routes[i].recipient);
        else
            set_key(b, &routes[i]);
    }
    if (b->count > 1)
        qsort(routes, b->count, sizeof *routes, compare);
    schedule_routes(b, routes);
    free(routes);
}

/* ---- away from the dead ---- */

static void give_up(struct entry *e, const char *reason)
{
    struct undeliverable *u = xcalloc(1, sizeof *u);

    u->entry = e;
    u->reason = xstrndup(reason, strlen(reason));
    list_push_back(&qmgr.undeliverable, &u->queue);
    waitq_wake_all(&qmgr.undeliverable_came);
}

void route_to_retry(struct entry *e, const char *reason)
{
    struct transport *retry = schedule_transport(&qmgr.schedule, S(RETRY));

    if (retry->rest == DEAD || e->destination->transport == retry) {
        give_up(e, reason);
        return;
    }
    entry_add(e->job->message, retry_destination(reason), e->recipients, e->count, e->owner);
    entry_drop(e);
}

void route_away_destination(struct destination *d)
{
    char *reason = suspended(d->reason);
    struct entry *e;

    while ((e = entry_take(d)) != NULL)
        route_to_retry(e, reason);
    free(reason);
}

void route_away_transport(struct transport *t)
{
    char *reason = xstrndup(t->reason, strlen(t->reason));
    struct entry *e;

    while ((e = entry_take_any(t)) != NULL)
        route_to_retry(e, reason);
    free(reason);
}
