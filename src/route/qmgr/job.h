/* route/qmgr/job.h - one message on one transport: the order in which messages are served.
 *
 * Jobs have a rank, the older the smaller; the lowest that can be served is.  So that a message to thousands does not keep
 * all others waiting, a small job may overtake it: it gets a rank just below.  The large one pays for that in slots, which
 * it earns by its own deliveries; so it is delayed by a known share at most.  Slots that the small one does not need go
 * back.  Ranks have gaps; where one is used up nobody overtakes.
 * Depends on: schedule.h.  Source: flow.md section 5, "Preemption". */
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

/* Before an entry of CURRENT is chosen: lets the later job that gains most by it overtake, if there is one and CURRENT can
 * pay.  True: the order has changed. */
bool job_overtake(struct job *current, int64_t now_us);
/* An entry of JOB has been chosen. */
void job_served(struct job *job);

#endif
