#include "route/qmgr/entry.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "route/qmgr/job.h"

struct entry *entry_add(struct scheduled *m, struct destination *d, const struct recipient *recipients, size_t count,
                        void *owner)
{
    struct transport *t = d->transport;
    struct job *job = job_of(m, t);
    struct peer *peer = job_peer(job, d);
    struct entry *e = xcalloc(1, sizeof *e);

    *e = (struct entry){.job = job, .destination = d, .recipients = recipients, .count = count, .owner = owner};
    list_push_back(&peer->entries, &e->queue);
    d->waiting++;
    job->waiting++;
    m->entries++;
    destination_sort_in(d);
    if (t->schedule->ready != NULL)
        t->schedule->ready(t->schedule->context, t);
    return e;
}

/* Takes the first entry of D's first peer out of the line. */
static struct entry *pop(struct destination *d)
{
    struct peer *peer = destination_first_peer(d);
    struct entry *e;

    if (peer == NULL)
        return NULL;
    e = LIST_FIRST(&peer->entries, struct entry, queue);
    list_remove(&e->queue);
    peer->chosen++;
    d->waiting--;
    e->job->waiting--;
    e->job->chosen++;
    if (list_empty(&peer->entries))
        peer_free(peer);
    return e;
}

bool entry_wanted(const struct transport *t, unsigned besides)
{
    unsigned could = 0;

    if (t->rest != AWAKE)
        return false;
    for (size_t i = 0; i < t->ready.count && could <= besides; i++) {
        const struct destination *d = CONTAINER_OF(t->ready.nodes[i], struct destination, ready_node);
        unsigned room = (unsigned)(d->window.size - d->busy);

        could += d->waiting < room ? d->waiting : room;
    }
    return could > besides;
}

static struct destination *first_ready(const struct transport *t)
{
    struct heap_node *node = t->rest == AWAKE ? heap_first(&t->ready) : NULL;

    return node == NULL ? NULL : CONTAINER_OF(node, struct destination, ready_node);
}

struct entry *entry_choose(struct transport *t, int64_t now_us)
{
    struct destination *d = first_ready(t);
    struct entry *e;

    if (d == NULL)
        return NULL;
    if (job_overtake(destination_first_peer(d)->job, now_us))
        d = first_ready(t);
    e = pop(d);
    job_served(e->job);
    if (destination_is_back_to_back(d, now_us))
        d->back_to_back = true;
    else if (d->busy == 0)
        d->back_to_back = false;
    d->busy++;
    destination_sort_in(d);
    if (t->rules.transport_rate_delay_us > 0) {
        t->rest = PAUSED;
        heap_put(&t->schedule->resting_transports, &t->rest_node, now_us + t->rules.transport_rate_delay_us);
    }
    return e;
}

void entry_drop(struct entry *e)
{
    struct destination *d = e->destination;

    d->busy--;
    e->job->finished++;
    e->job->message->entries--;
    job_settle(e->job);
    free(e);
    destination_settle(d);
}

void entry_release(struct entry *e, int64_t now_us)
{
    struct destination *d = e->destination;

    destination_ended(d, now_us);
    if (d->rest == AWAKE && d->transport->rules.rate_delay_us > 0)
        destination_rest(d, PAUSED, now_us + d->transport->rules.rate_delay_us);
    entry_drop(e);
}

bool entry_finish(struct entry *e, const char *failure, int64_t now_us)
{
    struct destination *d = e->destination;
    const struct transport_rules *rules = &d->transport->rules;
    bool died = false;

    if (failure == NULL) {
        if (d->rest == DEAD)
            destination_wake(d);
        window_success(&d->window, &rules->window, d->busy - 1);
    } else if (d->rest != DEAD && window_failure(&d->window, &rules->window)) {
        free(d->reason);
        d->reason = xstrndup(failure, strlen(failure));
        destination_rest(d, DEAD, now_us + rules->destination_dead_us);
        died = true;
    }
    entry_release(e, now_us);
    return died;
}

struct entry *entry_take(struct destination *d)
{
    struct entry *e = pop(d);

    if (e != NULL)
        d->busy++;
    destination_sort_in(d);
    return e;
}

struct entry *entry_take_any(struct transport *t)
{
    MAP_EACH(each, &t->destinations) {
        struct destination *d = each->value;

        if (d->waiting > 0)
            return entry_take(d);
    }
    return NULL;
}
