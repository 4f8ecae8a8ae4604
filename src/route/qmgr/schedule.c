#include "route/qmgr/schedule.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/clock.h"

/* A destination's key among the ready: its first job's rank, then how often that job was served there. */
enum { TURN_BITS = 16 };
/* Deliveries that follow each other within this are back to back; so long a destination where they were is remembered
 * without work.  One that mail comes to singly is not, like Postfix's: its servers see a connection for each. */
#define BACK_TO_BACK_US SECONDS(1)

void schedule_init(struct schedule *s, void (*configure)(void *context, struct transport *t), void *context)
{
    *s = (struct schedule){.configure = configure, .context = context};
    map_init(&s->transports);
    heap_init(&s->resting_transports);
    heap_init(&s->resting_destinations);
}

/* ---- destinations ---- */

static void destination_free(struct destination *d)
{
    heap_done(&d->peers);
    free(d->name);
    free(d->nexthop);
    free(d->reason);
    free(d);
}

struct peer *destination_first_peer(const struct destination *d)
{
    struct heap_node *node = heap_first(&d->peers);

    return node == NULL ? NULL : CONTAINER_OF(node, struct peer, node);
}

void destination_sort_in(struct destination *d)
{
    struct transport *t = d->transport;
    struct peer *peer = destination_first_peer(d);

    if (d->rest == AWAKE && peer != NULL && d->busy < d->window.size) {
        int64_t turn = peer->chosen < (1u << TURN_BITS) ? peer->chosen : (1u << TURN_BITS) - 1;

        heap_put(&t->ready, &d->ready_node, peer->job->rank << TURN_BITS | turn);
    } else {
        heap_remove(&t->ready, &d->ready_node);
    }
}

void destination_settle(struct destination *d)
{
    bool is_idle = d->waiting == 0 && d->busy == 0 && d->rest == AWAKE;

    if (!is_idle || heap_has(&d->rest_node)) {
        if (is_idle)
            window_open(&d->window, &d->transport->rules.window);
        destination_sort_in(d);
        return;
    }
    heap_remove(&d->transport->ready, &d->ready_node);
    map_take(&d->transport->destinations, slice_text(d->name));
    destination_free(d);
}

struct destination *schedule_destination(struct transport *t, slice name, slice nexthop)
{
    struct destination *d = map_get(&t->destinations, name);

    if (d != NULL)
        return d;
    d = xcalloc(1, sizeof *d);
    d->transport = t;
    d->name = xstrndup(name.n > 0 ? name.p : "", name.n);
    d->nexthop = xstrndup(nexthop.n > 0 ? nexthop.p : "", nexthop.n);
    heap_init(&d->peers);
    window_open(&d->window, &t->rules.window);
    map_set(&t->destinations, name, d);
    return d;
}

void destination_rest(struct destination *d, enum rest rest, int64_t until_us)
{
    d->rest = rest;
    heap_put(&d->transport->schedule->resting_destinations, &d->rest_node, until_us);
}

static void remember(struct destination *d)
{
    heap_put(&d->transport->schedule->resting_destinations, &d->rest_node, d->last_end_us + BACK_TO_BACK_US + 1);
}

/* The end of being remembered is not moved with each delivery, but once it has come. */
void destination_ended(struct destination *d, int64_t now_us)
{
    d->last_end_us = now_us;
    if (d->back_to_back && !heap_has(&d->rest_node))
        remember(d);
}

bool destination_is_back_to_back(const struct destination *d, int64_t now_us)
{
    return d->last_end_us != 0 && now_us - d->last_end_us <= BACK_TO_BACK_US;
}

void destination_wake(struct destination *d)
{
    heap_remove(&d->transport->schedule->resting_destinations, &d->rest_node);
    if (d->rest == DEAD)
        window_recover(&d->window, &d->transport->rules.window, d->busy);
    d->rest = AWAKE;
    free(d->reason);
    d->reason = NULL;
}

/* ---- transports ---- */

struct transport *schedule_transport(struct schedule *s, slice name)
{
    struct transport *t = map_get(&s->transports, name);

    if (t != NULL)
        return t;
    t = xcalloc(1, sizeof *t);
    t->schedule = s;
    t->name = xstrndup(name.n > 0 ? name.p : "", name.n);
    map_init(&t->destinations);
    heap_init(&t->ready);
    list_init(&t->jobs);
    s->configure(s->context, t);
    if (t->rules.rate_delay_us > 0)
        t->rules.window.limit = 1;
    map_set(&s->transports, name, t);
    return t;
}

static void wake_transport(struct transport *t)
{
    heap_remove(&t->schedule->resting_transports, &t->rest_node);
    t->rest = AWAKE;
    free(t->reason);
    t->reason = NULL;
}

void schedule_kill_transport(struct transport *t, const char *reason, int64_t now_us)
{
    free(t->reason);
    t->reason = xstrndup(reason, strlen(reason));
    t->rest = DEAD;
    heap_put(&t->schedule->resting_transports, &t->rest_node, now_us + t->rules.dead_us);
}

static void transport_free(void *value)
{
    struct transport *t = value;

    MAP_EACH(each, &t->destinations) {
        struct destination *d = each->value;

        heap_remove(&t->schedule->resting_destinations, &d->rest_node);
        destination_free(d);
    }
    map_done(&t->destinations, NULL);
    heap_done(&t->ready);
    free(t->name);
    free(t->reason);
    free(t);
}

void schedule_done(struct schedule *s)
{
    map_done(&s->transports, transport_free);
    heap_done(&s->resting_transports);
    heap_done(&s->resting_destinations);
}

/* ---- waking ---- */

int64_t schedule_next_wake(const struct schedule *s)
{
    const struct heap_node *t = heap_first(&s->resting_transports), *d = heap_first(&s->resting_destinations);
    int64_t at = INT64_MAX;

    if (t != NULL)
        at = t->key;
    if (d != NULL && d->key < at)
        at = d->key;
    return at;
}

struct transport *schedule_wake(struct schedule *s, int64_t now_us)
{
    struct heap_node *node = heap_first(&s->resting_transports);
    struct transport *t;
    struct destination *d;

    if (node != NULL && node->key <= now_us) {
        t = CONTAINER_OF(node, struct transport, rest_node);
        wake_transport(t);
        return t;
    }
    node = heap_first(&s->resting_destinations);
    if (node == NULL || node->key > now_us)
        return NULL;
    d = CONTAINER_OF(node, struct destination, rest_node);
    t = d->transport;
    destination_wake(d);
    if (d->back_to_back && destination_is_back_to_back(d, now_us))
        remember(d);
    destination_settle(d);
    return t;
}

void schedule_forgive_transport(struct transport *t)
{
    if (t->rest == DEAD)
        wake_transport(t);
}

void schedule_forgive(struct destination *d)
{
    if (d->rest == DEAD) {
        destination_wake(d);
        destination_sort_in(d);
    }
}

void schedule_revive(struct schedule *s)
{
    MAP_EACH(each, &s->transports) {
        struct transport *t = each->value;

        schedule_forgive_transport(t);
        MAP_EACH(inner, &t->destinations) {
            struct destination *d = inner->value;

            if (d->rest == DEAD) {
                destination_wake(d);
                destination_settle(d);
            }
        }
    }
}
