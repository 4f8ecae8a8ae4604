#include "route/qmgr/due.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/map.h"

enum { FIRST_BUCKETS = 64 };

void due_init(struct due *d)
{
    *d = (struct due){0};
    heap_init(&d->heap);
}

void due_done(struct due *d)
{
    for (size_t i = 0; i < d->heap.count; i++)
        free(CONTAINER_OF(d->heap.nodes[i], struct due_entry, node));
    heap_done(&d->heap);
    free(d->buckets);
    *d = (struct due){0};
}

static struct due_entry **bucket_of(const struct due *d, slice id)
{
    return &d->buckets[hash_bytes(id) & (d->bucket_count - 1)];
}

static void grow(struct due *d)
{
    struct due_entry **old = d->buckets;
    size_t old_count = d->bucket_count;

    d->bucket_count = old_count == 0 ? FIRST_BUCKETS : old_count * 2;
    d->buckets = xcalloc(d->bucket_count, sizeof *d->buckets);
    for (size_t i = 0; i < old_count; i++) {
        for (struct due_entry *e = old[i], *next; e != NULL; e = next) {
            struct due_entry **bucket = bucket_of(d, due_id(e));

            next = e->next;
            e->next = *bucket;
            *bucket = e;
        }
    }
    free(old);
}

struct due_entry *due_find(const struct due *d, slice id)
{
    if (d->bucket_count == 0)
        return NULL;
    for (struct due_entry *e = *bucket_of(d, id); e != NULL; e = e->next)
        if (slice_eq(due_id(e), id))
            return e;
    return NULL;
}

void due_put(struct due *d, slice id, int64_t due_us, uint64_t inode, int64_t size_bytes)
{
    struct due_entry *e = due_find(d, id);

    if (e == NULL) {
        struct due_entry **bucket;

        BUG_IF(id.n > UINT8_MAX);
        if (d->heap.count >= d->bucket_count)
            grow(d);
        e = xcalloc(1, sizeof *e + id.n);
        e->id_bytes = (uint8_t)id.n;
        memcpy(e->id, id.p, id.n);
        bucket = bucket_of(d, id);
        e->next = *bucket;
        *bucket = e;
    }
    e->inode = inode;
    e->size_bytes = size_bytes;
    e->scan = d->scan;
    heap_put(&d->heap, &e->node, due_us);
}

static void drop(struct due *d, struct due_entry *e)
{
    struct due_entry **at = bucket_of(d, due_id(e));

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    heap_remove(&d->heap, &e->node);
    free(e);
}

void due_remove(struct due *d, slice id)
{
    struct due_entry *e = due_find(d, id);

    if (e != NULL)
        drop(d, e);
}

struct due_entry *due_first(const struct due *d)
{
    struct heap_node *node = heap_first(&d->heap);

    return node == NULL ? NULL : CONTAINER_OF(node, struct due_entry, node);
}

size_t due_count(const struct due *d)
{
    return d->heap.count;
}

void due_scan_begin(struct due *d)
{
    d->scan++;
}

bool due_seen(struct due *d, slice id)
{
    struct due_entry *e = due_find(d, id);

    if (e == NULL)
        return false;
    e->scan = d->scan;
    return true;
}

void due_scan_end(struct due *d)
{
    for (size_t i = 0; i < d->bucket_count; i++) {
        struct due_entry **at = &d->buckets[i];

        while (*at != NULL) {
            struct due_entry *e = *at;

            if (e->scan == d->scan) {
                at = &e->next;
                continue;
            }
            *at = e->next;
            heap_remove(&d->heap, &e->node);
            free(e);
        }
    }
}

int64_t backoff_delay(const struct backoff *b, int64_t age_us, uint32_t random)
{
    int64_t delay = age_us, most_jitter;

    if (delay > b->maximal_us)
        delay = b->maximal_us;
    if (delay < b->minimal_us)
        delay = b->minimal_us;
    if (delay < 0)
        return 0;
    most_jitter = delay / 100 * b->jitter_percent;
    return most_jitter > 0 ? delay + (int64_t)random % (most_jitter + 1) : delay;
}
