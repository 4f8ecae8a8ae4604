#include "route/qmgr/message.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "route/qmgr/job.h"
#include "route/qmgr/state.h"

enum { MESSAGE_MOST_BYTES = 64 * 1024 * 1024 /* of memory for one envelope */ };

static void batch_init(struct batch *b, struct message *m)
{
    b->message = m;
    arena_init(&b->arena, MESSAGE_MOST_BYTES);
}

struct message *message_new(slice id)
{
    struct message *m = xcalloc(1, sizeof *m);

    memcpy(m->id, id.p, id.n);
    scheduled_init(&m->scheduled);
    m->scheduled.queued_us = clock_monotonic_us();
    batch_init(&m->first, m);
    return m;
}

bool message_path(const struct message *m, const char *queue, char to[QUEUE_PATH_MOST])
{
    return queue_path(&qmgr.layout, slice_text(queue), message_id(m), to);
}

struct batch *batch_new(struct message *m)
{
    struct batch *b = xcalloc(1, sizeof *b);

    batch_init(b, m);
    return b;
}

void batch_count(struct batch *b)
{
    b->message->in_memory += b->count;
    qmgr.recipients += b->count;
}

void batch_forget(struct batch *b, size_t keep)
{
    qmgr.recipients -= b->count - keep;
    b->message->in_memory -= b->count - keep;
    b->count = keep;
}

void batch_done(struct batch *b)
{
    batch_forget(b, 0);
    free(b->recipients);
    b->recipients = NULL;
    b->cap = 0;
    qmgr_kick_intake();
    if (b == &b->message->first)
        return; /* its arena has the envelope */
    arena_done(&b->arena);
    free(b);
}

void message_free(struct message *m)
{
    if (map_get(&qmgr.active, message_id(m)) == m)
        map_take(&qmgr.active, message_id(m));
    qmgr.probes -= m->is_probe;
    if (m->first.recipients != NULL)
        batch_done(&m->first);
    arena_done(&m->first.arena);
    free(m);
    qmgr_kick_intake();
}
