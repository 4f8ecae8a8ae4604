/* What all parts of local(8) stand on: the process's own things, and the outcomes of one recipient's parts. */
#include "deliver/local/local.h"
#include "mail/events/events.h"

struct local_world world;

struct outcome local_outcome(enum outcome_kind kind, struct dsn_code dsn, slice reason)
{
    return (struct outcome){.kind = kind, .dsn = dsn, .reason = reason, .relay = S("local")};
}

static void add_part(struct delivery *d, slice address, struct outcome o, bool passed)
{
    struct part *p = ARENA_NEW(d->request->arena, struct part);

    if (p == NULL) {
        event_warning("%.*s: no memory for the outcome of one recipient", S_ARG(d->request->wire.queue_id));
        d->request->some_deferred = true;
        return;
    }
    p->recipient = *d->to;
    p->recipient.address = arena_keep(d->request->arena, address, d->to->address);
    p->outcome = o;
    p->passed = passed;
    *d->last_part = p;
    d->last_part = &p->next;
}

void delivery_add(struct delivery *d, slice address, struct outcome o)
{
    add_part(d, address, o, false);
}

void delivery_passed(struct delivery *d, slice address, struct outcome o)
{
    add_part(d, address, o, true);
}
