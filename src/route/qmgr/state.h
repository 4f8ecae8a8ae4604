/* route/qmgr/state.h - what this queue manager holds: one of it in the process.
 *
 * For route/qmgr alone.  All of it belongs to the one thread. */
#ifndef ROUTE_QMGR_STATE_H
#define ROUTE_QMGR_STATE_H

#include "core/run/task.h"
#include "mail/address/client.h"
#include "mail/index/index.h"
#include "mail/params/params.h"
#include "mail/queue/id.h"
#include "route/qmgr/schedule.h"

enum { ROUTING_MOST = 20 /* messages whose recipients are being resolved */ };

struct entry;
struct watch;

struct undeliverable {
    struct list queue; /* qmgr.undeliverable */
    struct entry *entry;
    char *reason;      /* "4.4.1 text"; malloc'ed */
};

struct qmgr {
    struct params *params;
    struct queue_layout layout;
    struct address_client *addresses;
    struct schedule schedule;
    struct timer wake_timer;
    struct index index;             /* of deferred/ and hold/ */
    uint64_t kept_changes;          /* index.changes when it was kept (keep.h) */
    bool can_keep;                  /* what had been kept has been read, and writing has not failed */
    bool index_is_current;          /* all is in it, and what others do is seen */
    struct watch *watch;            /* NULL: there is none */
    struct waitq fill;              /* for something in the index that is wanted */
    struct map active;              /* struct message by id */
    size_t recipients;              /* in memory */
    size_t probes;                  /* of those messages, from verify(8) */
    unsigned routing;               /* messages */
    struct list undeliverable;      /* struct undeliverable: what not even the retry transport takes */
    struct waitq undeliverable_came;

    /* what the intake is to do */
    struct waitq intake;
    bool scan_incoming;             /* asked for since the last scan began */
    deadline next_scan;             /* not before then */
    deadline next_scan_warning;     /* nor is it told before that that one failed */
    unsigned taken;                 /* messages from incoming/ for which no token has been put back (in_flow_delay) */
    int64_t incoming_again_us;      /* a file there becomes ready then; INT64_MAX: none does */
    struct list stranded;           /* of active/: what could not be moved out of it (move.h) */
    int64_t stranded_again_us;      /* another try then; INT64_MAX: there is none */
    int64_t incoming_flushed_us;    /* letters A and I came then: what was put there before is due */
    bool scan_deferred, scan_all;   /* asked for: letters D, A */
    bool flushing;                  /* letter F, until what it asked for has been taken */
    bool scanning_deferred;
    struct waitq rescan;
    uint32_t random;
    int64_t started_us; /* clock_monotonic_us() */
};

extern struct qmgr qmgr;

/* A little random number: for jitter only. */
uint32_t qmgr_random(void);
/* Starts FN(ARG) as a background task; when that is impossible the daemon ends and starts again. */
void qmgr_spawn(const char *name, task_fn *fn, void *arg);
/* Wakes the intake: there is work, or room. */
void qmgr_kick_intake(void);
/* Is there room for another message? */
bool qmgr_has_room(void);

#endif
