/* route/qmgr/schedule.h - what deliveries wait for: transports, destinations, jobs.
 *
 *     transport     a delivery agent's service ("smtp"): what its agents can do at once is for master to say
 *     destination   one next hop of a transport, with a window of concurrent deliveries
 *     job           one message on one transport; jobs have a rank, the older the smaller
 *     peer          one job at one destination
 *     entry         recipients that go in one delivery request
 *
 * Here is how they hang together, and who rests.  entry.h puts recipients in line and says which delivery comes next;
 * job.h keeps the jobs' order.  Jobs behind full or dead destinations cost nothing: each destination keeps its peers in a
 * heap by rank, each transport its destinations that could deliver now in another.
 *
 * Nothing here waits, reads a clock or does I/O; times come in as microseconds of one clock.  The schedule owns
 * transports, destinations, jobs, peers and entries; recipients and messages stay the caller's.
 * Depends on: core/base.  Source: flow.md section 5. */
#ifndef ROUTE_QMGR_SCHEDULE_H
#define ROUTE_QMGR_SCHEDULE_H

#include "core/base/heap.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "mail/envelope/recipient.h"
#include "route/qmgr/window.h"

struct transport;

struct transport_rules {
    int recipient_limit; /* recipients in one entry; 0: no limit */
    struct window_rules window;
    int64_t rate_delay_us;             /* between deliveries to one destination; then the window is 1 */
    int64_t transport_rate_delay_us;   /* between deliveries over the transport */
    int64_t dead_us;                   /* how long the transport rests after a failure */
    int64_t destination_dead_us;       /* how long a destination does */
    /* A small job may overtake a large one, which earns a slot for that with every so many of its deliveries (0: never);
     * only one that earns so many slots in its life is large; so many may be lent; and the price is lowered by so much. */
    int slot_cost, minimum_slots, slot_loan, slot_discount_percent;
};

struct schedule {
    struct map transports;
    struct heap resting_transports, resting_destinations;
    int64_t latest_rank;
    /* Sets T->rules when a transport is first met. */
    void (*configure)(void *context, struct transport *t);
    /* T has got work that it could begin.  May be NULL; must not change the schedule. */
    void (*ready)(void *context, struct transport *t);
    void *context;
};

enum rest { AWAKE, PAUSED /* rate delay */, DEAD };

struct transport {
    struct schedule *schedule;
    char *name;
    struct transport_rules rules;
    struct map destinations;
    struct heap ready;
    struct list jobs; /* struct job.fellows, by rank */
    struct heap_node rest_node;
    enum rest rest;
    char *reason;     /* when dead: "4.3.0 text" */
    /* The driver's: */
    unsigned asking;       /* connections for which there is no entry yet */
    unsigned calls;        /* connections */
    unsigned greeted;      /* those on which an agent is known to be there */
    unsigned greeted_most; /* as many agents as were there at a time */
};

struct destination {
    struct transport *transport;
    char *name;    /* key */
    char *nexthop; /* what agents are told */
    struct window window;
    int busy;         /* entries being delivered */
    unsigned waiting; /* entries not yet chosen */
    struct heap peers;
    struct heap_node ready_node, rest_node;
    enum rest rest;
    char *reason;
    int64_t last_end_us; /* 0: none yet */
    int64_t clog_warned_us; /* the driver's: when it last said that this destination fills the active queue; 0: never */
    bool back_to_back; /* deliveries follow each other within a second: connections are worth keeping */
};

/* The schedule's share of a message; lives in the driver's. */
struct scheduled {
    struct list jobs; /* struct job.message_jobs */
    int64_t rank;     /* 0: none yet */
    unsigned entries; /* waiting or being delivered */
    int64_t queued_us, unread; /* the driver's: since when it is here, and recipients that are not in line yet */
};

struct job {
    struct scheduled *message;
    struct transport *transport;
    struct list fellows, message_jobs;
    int64_t rank;
    unsigned waiting, chosen, finished; /* entries */
    struct list peers;                  /* struct peer.fellows */
    /* Overtaking: deliveries that count towards slots; whom it overtook, with how much of the price not yet used; and who
     * has overtaken it. */
    int64_t earned, unused;
    struct job *overtook;
    struct list overtakers, among_overtakers;
};

struct peer {
    struct heap_node node; /* destination.peers */
    struct list fellows;   /* job.peers */
    struct job *job;
    struct destination *destination;
    struct list entries; /* struct entry.queue */
    unsigned chosen;
};

/* READY may be set afterwards. */
void schedule_init(struct schedule *s, void (*configure)(void *context, struct transport *t), void *context);
/* All entries must be gone. */
void schedule_done(struct schedule *s);

/* Finds or makes. */
struct transport *schedule_transport(struct schedule *s, slice name);
/* NAME is the key ("user@nexthop" where each recipient has a destination of his own), NEXTHOP what agents are told. */
struct destination *schedule_destination(struct transport *t, slice name, slice nexthop);

/* T's agents cannot be used until its rest is over. */
void schedule_kill_transport(struct transport *t, const char *reason, int64_t now_us);

/* When the next rest ends; INT64_MAX: nobody rests. */
int64_t schedule_next_wake(const struct schedule *s);
/* Ends one rest that is over at NOW and returns its transport; NULL: none. */
struct transport *schedule_wake(struct schedule *s, int64_t now_us);
/* Ends the rest of the dead T, or D, early. */
void schedule_forgive_transport(struct transport *t);
void schedule_forgive(struct destination *d);
/* Ends all rests of the dead. */
void schedule_revive(struct schedule *s);

/* ---- for entry.c and job.c ---- */

/* D's peer of the lowest rank, or NULL. */
struct peer *destination_first_peer(const struct destination *d);
/* Puts D among its transport's ready ones, or takes it out, as it now is. */
void destination_sort_in(struct destination *d);
/* The same; without work D is forgotten, unless it rests or much went there a moment ago: then what it taught still
 * counts. */
void destination_settle(struct destination *d);
void destination_rest(struct destination *d, enum rest rest, int64_t until_us);
/* A delivery to D ends. */
void destination_ended(struct destination *d, int64_t now_us);
/* Does one that begins now follow another? */
bool destination_is_back_to_back(const struct destination *d, int64_t now_us);
void destination_wake(struct destination *d);

#endif
