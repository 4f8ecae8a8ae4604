#include "route/qmgr/job.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/clock.h"

enum {
    RANK_GAP = 1 << 16, /* ranks rise by this from message to message */
    LOOK_AT_MOST = 256, /* later jobs, for one to overtake */
};

void scheduled_init(struct scheduled *m)
{
    *m = (struct scheduled){0};
    list_init(&m->jobs);
}

static void insert(struct transport *t, struct job *job)
{
    struct list *at = &t->jobs;

    while (at->prev != &t->jobs && LIST_ENTRY(at->prev, struct job, fellows)->rank > job->rank)
        at = at->prev;
    list_insert_before(at, &job->fellows);
}

struct job *job_of(struct scheduled *m, struct transport *t)
{
    struct job *job;

    LIST_EACH(each, &m->jobs) {
        job = LIST_ENTRY(each, struct job, message_jobs);
        if (job->transport == t)
            return job;
    }
    if (m->rank == 0)
        m->rank = t->schedule->latest_rank += RANK_GAP;
    job = xcalloc(1, sizeof *job);
    job->message = m;
    job->transport = t;
    job->rank = m->rank;
    list_init(&job->peers);
    list_init(&job->overtakers);
    insert(t, job);
    list_push_back(&m->jobs, &job->message_jobs);
    return job;
}

struct peer *job_peer(struct job *job, struct destination *d)
{
    struct peer *peer = list_empty(&job->peers) ? NULL : LIST_ENTRY(job->peers.prev, struct peer, fellows);

    /* A second peer for the same destination would do no harm. */
    if (peer != NULL && peer->destination == d)
        return peer;
    peer = xcalloc(1, sizeof *peer);
    peer->job = job;
    peer->destination = d;
    list_init(&peer->entries);
    list_push_back(&job->peers, &peer->fellows);
    heap_put(&d->peers, &peer->node, job->rank);
    return peer;
}

void peer_free(struct peer *peer)
{
    heap_remove(&peer->destination->peers, &peer->node);
    list_remove(&peer->fellows);
    free(peer);
}

/* ---- overtaking ---- */

static int64_t left(const struct job *job)
{
    return job->waiting + job->message->unread;
}

static int64_t whole(const struct job *job)
{
    return job->waiting + job->chosen + job->message->unread;
}

/* Can none of its destinations take a delivery now? */
static bool is_blocked(const struct job *job)
{
    LIST_EACH(each, &job->peers) {
        const struct destination *d = LIST_ENTRY(each, struct peer, fellows)->destination;

        if (d->rest == AWAKE && d->busy < d->window.size)
            return false;
    }
    return true;
}

/* Who has waited longest for its size, of those that all the slots of CURRENT's life could pay for. */
static struct job *find_overtaker(const struct job *current, int64_t now_us)
{
    int64_t most = (left(current) + current->earned) / current->transport->rules.slot_cost;
    struct job *best = NULL;
    double best_score = 0;
    int looked = 0;

    for (struct list *at = current->fellows.next; at != &current->transport->jobs && looked < LOOK_AT_MOST; at = at->next, looked++) {
        struct job *job = LIST_ENTRY(at, struct job, fellows);
        int64_t waited_s = (now_us - job->message->queued_us) / SECONDS(1) + 1;
        double score;

        if (left(job) <= 0 || left(job) > most || !list_empty(&job->overtakers) || is_blocked(job))
            continue;
        score = (double)waited_s / (double)whole(job);
        if (score > best_score) {
            best_score = score;
            best = job;
        }
    }
    return best;
}

static void give_rank(struct job *job, int64_t rank)
{
    job->rank = rank;
    LIST_EACH(each, &job->peers) {
        struct peer *peer = LIST_ENTRY(each, struct peer, fellows);

        heap_put(&peer->destination->peers, &peer->node, rank);
        destination_sort_in(peer->destination);
    }
}

bool job_overtake(struct job *current, int64_t now_us)
{
    const struct transport_rules *rules = &current->transport->rules;
    int64_t before = current->fellows.prev == &current->transport->jobs
                         ? 0
                         : LIST_ENTRY(current->fellows.prev, struct job, fellows)->rank;
    int64_t rank = before + (current->rank - before) / 2;
    struct job *job;

    if (rules->slot_cost < 2 || current->earned <= 0 || whole(current) < (int64_t)rules->minimum_slots * rules->slot_cost ||
        rank == before)
        return false;
    job = find_overtaker(current, now_us);
    if (job == NULL ||
        current->earned / rules->slot_cost + rules->slot_loan < left(job) * (100 - rules->slot_discount_percent) / 100)
        return false;
    current->earned -= left(job) * rules->slot_cost;
    job->unused = left(job);
    job->overtook = current;
    list_push_back(&current->overtakers, &job->among_overtakers);
    list_remove(&job->fellows);
    list_insert_before(&current->fellows, &job->fellows);
    give_rank(job, rank);
    return true;
}

/* JOB needs no place in front any more: what it has not used goes back to whom it overtook. */
static void give_back(struct job *job)
{
    if (job->overtook == NULL)
        return;
    job->overtook->earned += job->unused * job->transport->rules.slot_cost;
    job->overtook = NULL;
    list_remove(&job->among_overtakers);
}

void job_served(struct job *job)
{
    job->earned++;
    job->unused--;
    if (left(job) == 0)
        give_back(job);
}

/* Those that have overtaken JOB, which goes, have then overtaken the one that JOB had. */
static void leave_overtakers(struct job *job)
{
    while (!list_empty(&job->overtakers)) {
        struct job *other = LIST_FIRST(&job->overtakers, struct job, among_overtakers);

        list_remove(&other->among_overtakers);
        other->overtook = job->overtook;
        if (job->overtook != NULL)
            list_push_back(&job->overtook->overtakers, &other->among_overtakers);
    }
}

void job_settle(struct job *job)
{
    if (job->waiting > 0 || job->chosen > job->finished)
        return;
    leave_overtakers(job);
    give_back(job);
    list_remove(&job->fellows);
    list_remove(&job->message_jobs);
    free(job);
}
