/* route/qmgr/message.h - a message in the active queue, as far as it is in memory.
 *
 * finish.c frees it when its last entry is done and nothing of it is left to read. */
#ifndef ROUTE_QMGR_MESSAGE_H
#define ROUTE_QMGR_MESSAGE_H

#include "core/base/arena.h"
#include "mail/queue/envelope_reader.h"
#include "mail/queue/id.h"
#include "route/qmgr/schedule.h"

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
    bool is_probe;                  /* verify(8)'s: counted in qmgr.probes while in memory */
    bool reading;                   /* a task is reading or routing more recipients */
};

static inline slice message_id(const struct message *m)
{
    return slice_text(m->id);
}

struct message *message_new(slice id);
/* Takes M out of memory.  The file is elsewhere already. */
void message_free(struct message *m);
/* The path of M's file, or log, in QUEUE.  False: there can be none. */
bool message_path(const struct message *m, const char *queue, char to[QUEUE_PATH_MOST]);

struct batch *batch_new(struct message *m);
/* Its recipients count as being in memory. */
void batch_count(struct batch *b);
/* All but the first KEEP no longer do. */
void batch_forget(struct batch *b, size_t keep);
/* None does; frees them, and B, unless it is its message's first. */
void batch_done(struct batch *b);

#endif
