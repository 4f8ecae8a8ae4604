#include "route/qmgr/schedule.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/clock.h"

/* Ranks rise by this from message to message. */
enum { RANK_GAP = 1024 };
/* A destination's key among the ready: its first job's rank, then how often that job was served there. */
enum { TURN_BITS = 16 };

struct peer {
    struct heap_node node; /* destination.peers */
    struct job *job;
    struct destination *destination;
    struct list entries;
    unsigned chosen;
};

void schedule_init(struct schedule *s, void (*configure)(void *context, struct transport *t), void *context)
{
    *s = (struct schedule){.next_rank = RANK_GAP, .configure = configure, .context = context};
    map_init(&s->transports);
    heap_init(&s->resting_transports);
    heap_init(&s->resting_destinations);
}

void scheduled_init(struct scheduled *m)
{
    *m = (struct scheduled){0};
    list_init(&m->jobs);
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

static struct peer *first_peer(const struct destination *d)
{
    struct heap_node *node = heap_first(&d->peers);

    return node == NULL ? NULL : CONTAINER_OF(node, struct peer, node);
}

/* Puts D among its transport's ready ones, or takes it out, as it now is. */
static void sort_in(struct destination *d)
{
    struct transport *t = d->transport;
    struct peer *peer = first_peer(d);

    if (d->rest == AWAKE && peer != NULL && d->busy < d->window.size) {
        int64_t turn = peer->chosen < (1u << TURN_BITS) ? peer->chosen : (1u << TURN_BITS) - 1;

        heap_put(&t->ready, &d->ready_node, peer->job->rank << TURN_BITS | turn);
    } else {
        heap_remove(&t->ready, &d->ready_node);
    }
}

/* A destination without work is forgotten unless it rests: then what it taught still counts. */
static void settle(struct destination *d)
{
    if (d->waiting > 0 || d->busy > 0 || d->rest != AWAKE) {
        sort_in(d);
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

static void put_to_rest(struct destination *d, enum rest rest, int64_t until_us)
{
    d->rest = rest;
    heap_put(&d->transport->schedule->resting_destinations, &d->rest_node, until_us);
}

static void wake_destination(struct destination *d)
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

/* ---- jobs, peers, entries ---- */

static void job_insert(struct transport *t, struct job *job)
{
    struct list *at = &t->jobs;

    while (at->prev != &t->jobs && LIST_ENTRY(at->prev, struct job, fellows)->rank > job->rank)
        at = at->prev;
    list_insert_before(at, &job->fellows);
}

static struct job *job_of(struct schedule *s, struct scheduled *m, struct transport *t)
{
    struct job *job;

    LIST_EACH(each, &m->jobs) {
        job = LIST_ENTRY(each, struct job, message_jobs);
        if (job->transport == t)
            return job;
    }
    if (m->rank == 0) {
        m->rank = s->next_rank;
        s->next_rank += RANK_GAP;
    }
    job = xcalloc(1, sizeof *job);
    job->message = m;
    job->transport = t;
    job->rank = m->rank;
    job_insert(t, job);
    list_push_back(&m->jobs, &job->message_jobs);
    return job;
}

static void job_settle(struct job *job)
{
    if (job->waiting > 0 || job->chosen > job->finished)
        return;
    list_remove(&job->fellows);
    list_remove(&job->message_jobs);
    free(job);
}

struct entry *schedule_add(struct schedule *s, struct scheduled *m, struct destination *d,
                           const struct recipient *recipients, size_t count, void *owner)
{
    struct job *job = job_of(s, m, d->transport);
    struct peer *peer = job->latest;
    struct entry *e = xcalloc(1, sizeof *e);

    /* Callers sort by destination; a second peer for the same one would do no harm. */
    if (peer == NULL || peer->destination != d) {
        peer = xcalloc(1, sizeof *peer);
        peer->job = job;
        peer->destination = d;
        list_init(&peer->entries);
        heap_put(&d->peers, &peer->node, job->rank);
        job->latest = peer;
    }
    *e = (struct entry){.job = job, .destination = d, .recipients = recipients, .count = count, .owner = owner};
    list_push_back(&peer->entries, &e->queue);
    d->waiting++;
    job->waiting++;
    m->entries++;
    sort_in(d);
    return e;
}

/* Takes the first entry of D's first peer out of the line. */
static struct entry *pop(struct destination *d)
{
    struct peer *peer = first_peer(d);
    struct entry *e;

    if (peer == NULL)
        return NULL;
    e = LIST_FIRST(&peer->entries, struct entry, queue);
    list_remove(&e->queue);
    peer->chosen++;
    d->waiting--;
    e->job->waiting--;
    e->job->chosen++;
    if (list_empty(&peer->entries)) {
        heap_remove(&d->peers, &peer->node);
        if (peer->job->latest == peer)
            peer->job->latest = NULL;
        free(peer);
    }
    return e;
}

bool schedule_wants(const struct transport *t, unsigned besides)
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

struct entry *schedule_choose(struct transport *t, int64_t now_us)
{
    struct heap_node *node = t->rest == AWAKE ? heap_first(&t->ready) : NULL;
    struct destination *d;
    struct entry *e;

    if (node == NULL)
        return NULL;
    d = CONTAINER_OF(node, struct destination, ready_node);
    e = pop(d);
    if (d->last_end_us != 0 && now_us - d->last_end_us <= SECONDS(1))
        d->back_to_back = true;
    else if (d->busy == 0)
        d->back_to_back = false;
    d->busy++;
    sort_in(d);
    if (t->rules.transport_rate_delay_us > 0) {
        t->rest = PAUSED;
        heap_put(&t->schedule->resting_transports, &t->rest_node, now_us + t->rules.transport_rate_delay_us);
    }
    return e;
}

void schedule_drop(struct entry *e)
{
    struct destination *d = e->destination;

    d->busy--;
    e->job->finished++;
    e->job->message->entries--;
    job_settle(e->job);
    free(e);
    settle(d);
}

void schedule_release(struct entry *e, int64_t now_us)
{
    struct destination *d = e->destination;

    d->last_end_us = now_us;
    if (d->rest == AWAKE && d->transport->rules.rate_delay_us > 0)
        put_to_rest(d, PAUSED, now_us + d->transport->rules.rate_delay_us);
    schedule_drop(e);
}

bool schedule_finish(struct entry *e, const char *failure, int64_t now_us)
{
    struct destination *d = e->destination;
    const struct transport_rules *rules = &d->transport->rules;
    bool died = false;

    if (failure == NULL) {
        if (d->rest == DEAD)
            wake_destination(d);
        window_success(&d->window, &rules->window, d->busy - 1);
    } else if (d->rest != DEAD && window_failure(&d->window, &rules->window)) {
        free(d->reason);
        d->reason = xstrndup(failure, strlen(failure));
        put_to_rest(d, DEAD, now_us + rules->destination_dead_us);
        died = true;
    }
    schedule_release(e, now_us);
    return died;
}

struct entry *schedule_take(struct destination *d)
{
    struct entry *e = pop(d);

    if (e != NULL)
        d->busy++;
    sort_in(d);
    return e;
}

struct entry *schedule_take_any(struct transport *t)
{
    MAP_EACH(each, &t->destinations) {
        struct destination *d = each->value;

        if (d->waiting > 0)
            return schedule_take(d);
    }
    return NULL;
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
    wake_destination(d);
    settle(d);
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
        wake_destination(d);
        sort_in(d);
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
                wake_destination(d);
                settle(d);
            }
        }
    }
}
