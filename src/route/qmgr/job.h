/* route/qmgr/job.h - one message on one transport: the order in which messages are served.
 *
 * Jobs have a rank, the older the smaller.  Depends on: schedule.h. */
#ifndef ROUTE_QMGR_JOB_H
#define ROUTE_QMGR_JOB_H

#include "route/qmgr/schedule.h"

void scheduled_init(struct scheduled *m);

/* M's job on T: finds or makes. */
struct job *job_of(struct scheduled *m, struct transport *t);
/* JOB's peer at D, for an entry more; the callers sort by destination. */
struct peer *job_peer(struct job *job, struct destination *d);
/* PEER has no entry left. */
void peer_free(struct peer *peer);
/* Frees JOB when it has nothing left. */
void job_settle(struct job *job);

#endif
