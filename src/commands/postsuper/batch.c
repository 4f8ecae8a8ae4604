#include "commands/postsuper/batch.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "mail/events/events.h"

struct batched {
    uint64_t inode;
    size_t at; /* of its id in texts */
};

void batch_done(struct batch *b)
{
    buf_done(&b->texts);
    free(b->ids);
}

static void add(struct batch *b, const struct queue_entry *e)
{
    if (b->count == b->room) {
        b->room = b->room == 0 ? 1000 : 2 * b->room;
        b->ids = xrealloc_array(b->ids, b->room, sizeof *b->ids);
    }
    b->ids[b->count++] = (struct batched){e->inode, b->texts.n};
    (void)buf_add(&b->texts, e->name);
    (void)buf_add_char(&b->texts, '\0');
}

static int compare(const void *one, const void *other)
{
    const struct batched *a = one, *b = other;

    return (a->inode > b->inode) - (a->inode < b->inode);
}

bool batch_read(struct batch *b, struct queue_scan *scan)
{
    enum queue_scan_got got = SCAN_ID;
    struct queue_entry entry;
    struct err err;

    buf_clear(&b->texts);
    b->count = b->next = 0;
    while (b->count < BATCH_MOST && got != SCAN_END) {
        got = queue_scan_next_of_all(scan, &entry, &err);
        if (got == SCAN_FAILED && b->count > 0)
            break; /* and fails again when these are done */
        if (got == SCAN_FAILED)
            event_fatal("%s", err.text);
        if (got == SCAN_ID)
            add(b, &entry);
    }
    if (b->count > 0)
        qsort(b->ids, b->count, sizeof *b->ids, compare);
    return b->count > 0;
}

bool batch_next(struct batch *b, slice *id)
{
    if (b->next == b->count)
        return false;
    *id = slice_text(b->texts.p + b->ids[b->next++].at);
    return true;
}
