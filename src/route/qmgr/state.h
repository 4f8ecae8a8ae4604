/* route/qmgr/state.h - what this queue manager holds: one of it in the process, and the messages in it.
 *
 * For route/qmgr alone.  All of it belongs to the one thread; a message is freed by finish.c when its last entry is
 * done and nothing of it is left to read. */
#ifndef ROUTE_QMGR_STATE_H
#define ROUTE_QMGR_STATE_H

#include "core/run/task.h"
#include "mail/address/client.h"
#include "mail/params/params.h"
#include "mail/queue/envelope_reader.h"
#include "mail/queue/id.h"
#include "route/qmgr/due.h"
#include "route/qmgr/schedule.h"

enum {
    BATCH_MOST_RECIPIENTS = 5000,        /* read at once */
    MESSAGE_MOST_BYTES = 64 * 1024 * 1024, /* of memory for one envelope */
    ROUTING_MOST = 20,                   /* messages whose recipients are being resolved */
    BACKOFF_JITTER_PERCENT = 10,
    STILL_DELIVERED_PAUSE_SECONDS = 60,
};

struct message;

/* Recipients that were read together. */
struct batch {
    struct message *message;
    struct arena arena;
    struct recipient *recipients; /* malloc'ed; sorted by destination once routed */
    size_t count, cap;
    unsigned entries;             /* not finished; the batch goes with the last */
};

struct message {
    struct scheduled scheduled;
    char id[QUEUE_ID_MOST + 1];
    struct envelope envelope;       /* texts in first.arena */
    struct envelope_cursor cursor;
    struct batch first;
    int64_t active_us;
    size_t in_memory;               /* recipients */
    bool deferred;                  /* at least one recipient has to wait */
    bool bounce_failed;             /* the report could not be posted */
    bool expire;                    /* asked for by postsuper -e */
    bool was_deferred;              /* it comes from deferred/ */
    bool press;                     /* flushed: defer_transports does not count, destinations get another chance */
    bool reading;                   /* a task is reading or routing more recipients */
};

struct qmgr {
    struct params *params;
    struct queue_layout layout;
    struct address_client *addresses;
    struct schedule schedule;
    struct timer wake_timer;
    struct due due;
    struct map active;              /* struct message by id */
    size_t recipients;              /* in memory */
    unsigned routing;               /* messages */
    slice double_bounce;            /* local part of the sender of postmaster notices */

    /* what the intake is to do */
    struct waitq intake;
    bool scan_incoming;             /* asked for since the last scan began */
    int64_t incoming_again_us;      /* a file there becomes ready then; INT64_MAX: none does */
    bool scan_deferred, scan_all;   /* asked for: letters D, A */
    bool flushing;                  /* letter F, until what it asked for has been taken */
    bool scanning_deferred;
    struct waitq rescan;
    uint32_t random;
};

extern struct qmgr qmgr;

static inline slice message_id(const struct message *m)
{
    return slice_text(m->id);
}

/* A little random number: for jitter only. */
uint32_t qmgr_random(void);
/* Starts FN(ARG) as a background task; when that is impossible the daemon ends and starts again. */
void qmgr_spawn(const char *name, task_fn *fn, void *arg);
/* Wakes the intake: there is work, or room. */
void qmgr_kick_intake(void);
/* Is there room for another message? */
bool qmgr_has_room(void);

#endif
