/* What all parts of local(8) stand on: the process's own things, and the outcomes of one recipient's parts. */
#include "deliver/local/local.h"
#include "mail/events/events.h"

struct local_world world;

struct outcome local_outcome(struct dsn_code dsn, slice reason)
{
    return (struct outcome){.kind = outcome_kind_of(dsn), .dsn = dsn, .reason = reason, .relay = S("local")};
}

static void add_part(struct delivery *d, const struct origin *o, slice address, struct outcome outcome, bool passed)
{
    struct arena *arena = d->request->arena;
    struct part *p = ARENA_NEW(arena, struct part);

    if (p == NULL) {
        event_warning("%.*s: no memory for the outcome of one recipient", S_ARG(d->request->wire.queue_id));
        d->request->some_deferred = true;
        return;
    }
    p->recipient = *d->to;
    p->recipient.address = arena_keep(arena, address, d->to->address);
    if (o->has_owner) {
        p->recipient.original = S("");
        p->recipient.dsn_orig_rcpt = S("");
    }
    outcome.relay = S("local");
    p->outcome = outcome;
    p->passed = passed;
    p->has_owner = o->has_owner;
    p->sender = o->sender;
    *d->last_part = p;
    d->last_part = &p->next;
}

void delivery_add(struct delivery *d, const struct origin *o, slice address, struct outcome outcome)
{
    add_part(d, o, address, outcome, false);
}

void delivery_passed(struct delivery *d, const struct origin *o, slice address, struct outcome outcome)
{
    add_part(d, o, address, outcome, true);
}

void delivery_refuse(struct delivery *d, const struct origin *o, slice address, struct dsn_code dsn, slice reason)
{
    delivery_add(d, o, address, local_outcome(dsn, reason));
}

void delivery_expanded(struct delivery *d, const struct origin *o)
{
    struct outcome told = local_outcome((struct dsn_code){2, 0, 0}, S("delivery via local: alias expanded"));

    told.action = o->has_owner ? S("delivered") : S("expanded"); /* of a list: RFC 3461 5.2.7.1 */
    agent_report_expansion(d->request, d->index, &told);
}

static bool is_first(struct delivery *d, const char *kind, slice what, bool folded)
{
    AUTO_BUF struct buf key = BUF_INIT(128 * 1024);
    static char mark;

    (void)buf_addf(&key, "%s ", kind);
    for (size_t i = 0; i < what.n; i++)
        (void)buf_add_char(&key, folded ? ascii_lower(what.p[i]) : what.p[i]);
    return key.overflow || map_set(&d->seen, buf_slice(&key), &mark) == NULL;
}

bool delivery_first(struct delivery *d, const char *kind, slice what)
{
    return is_first(d, kind, what, true);
}

bool delivery_first_exactly(struct delivery *d, const char *kind, slice what)
{
    return is_first(d, kind, what, false);
}

bool delivery_is_probe(const struct delivery *d)
{
    return (d->request->wire.flags & (DELIVERY_MTA_PROBE | DELIVERY_USER_PROBE)) != 0;
}
