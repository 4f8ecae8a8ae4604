#include "deliver/smtp/transaction.h"
#include "mail/events/events.h"

void delivery_settle(struct delivery *d, size_t i, const struct outcome *o)
{
    agent_report(d->request, i, o);
    if (d->progress[i] == RCPT_TODO)
        d->todo--;
    d->progress[i] = RCPT_SETTLED;
}

void delivery_answer(struct delivery *d, size_t i, const struct outcome *o)
{
    if (o->kind == OUTCOME_DEFERRED && !d->last_server) {
        if (d->progress[i] == RCPT_ACCEPTED)
            d->todo++;
        d->progress[i] = RCPT_TODO;
        d->soft[i] = *o;
        return;
    }
    if (d->progress[i] == RCPT_ACCEPTED) {
        d->progress[i] = RCPT_SETTLED;
        agent_report(d->request, i, o);
        return;
    }
    delivery_settle(d, i, o);
}

void delivery_tell_if_passing(const struct delivery *d, const struct outcome *o)
{
    if (o->kind == OUTCOME_DEFERRED && !d->last_server)
        event_info("%.*s: %.*s", S_ARG(d->request->wire.queue_id), S_ARG(o->reason));
}

void delivery_answer_all(struct delivery *d, enum progress which, const struct outcome *o)
{
    delivery_tell_if_passing(d, o);
    for (size_t i = 0; i < d->request->recipient_count; i++)
        if (d->progress[i] == which)
            delivery_answer(d, i, o);
}
