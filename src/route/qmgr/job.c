#include "route/qmgr/job.h"

#include <stdlib.h>

#include "core/base/bug.h"

/* Ranks rise by this from message to message. */
enum { RANK_GAP = 1 << 16 };

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
    insert(t, job);
    list_push_back(&m->jobs, &job->message_jobs);
    return job;
}

struct peer *job_peer(struct job *job, struct destination *d)
{
    struct peer *peer = job->latest;

    /* A second peer for the same destination would do no harm. */
    if (peer != NULL && peer->destination == d)
        return peer;
    peer = xcalloc(1, sizeof *peer);
    peer->job = job;
    peer->destination = d;
    list_init(&peer->entries);
    heap_put(&d->peers, &peer->node, job->rank);
    job->latest = peer;
    return peer;
}

void peer_free(struct peer *peer)
{
    heap_remove(&peer->destination->peers, &peer->node);
    if (peer->job->latest == peer)
        peer->job->latest = NULL;
    free(peer);
}

void job_settle(struct job *job)
{
    if (job->waiting > 0 || job->chosen > job->finished)
        return;
    list_remove(&job->fellows);
    list_remove(&job->message_jobs);
    free(job);
}
