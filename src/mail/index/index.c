#include "mail/index/index.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/map.h"

void index_init(struct index *ix)
{
    *ix = (struct index){0};
    heap_init(&ix->due);
    list_init(&ix->wanted);
    for (size_t i = 0; i < INDEX_QUEUES; i++)
        list_init(&ix->queues[i]);
}

static void forget_details(struct index *ix, struct index_entry *e)
{
    switch (e->state) {
    case INDEX_WANTED:
        list_remove(&e->line);
        break;
    case INDEX_KNOWN:
        details_free(&ix->texts, e->details);
        ix->known--;
        break;
    default:
        break;
    }
    e->state = INDEX_UNREAD;
}

void index_done(struct index *ix)
{
    for (size_t i = 0; i < INDEX_QUEUES; i++)
        LIST_EACH (each, &ix->queues[i])
            index_drop(ix, LIST_ENTRY(each, struct index_entry, same_queue));
    interned_done(&ix->texts);
    heap_done(&ix->due);
    free(ix->buckets);
    *ix = (struct index){0};
}

/* The buckets are those of half_count * 2 buckets, of which the last are not there yet: their entries are in the one
 * half_count before. */
static struct index_entry **bucket_of(const struct index *ix, slice id)
{
    uint64_t hash = hash_bytes(id);
    size_t at = hash & (2 * ix->half_count - 1);

    return &ix->buckets[at < ix->bucket_count ? at : at - ix->half_count];
}

/* One more bucket, which takes its entries from one other: so that no message that comes has to wait until all have
 * been put elsewhere. */
static void grow(struct index *ix)
{
    struct index_entry *e, **old;

    if (ix->bucket_count == 2 * ix->half_count) {
        ix->half_count = ix->bucket_count == 0 ? 1 : ix->bucket_count;
        ix->buckets = xrealloc_array(ix->buckets, 2 * ix->half_count, sizeof(struct index_entry *));
    }
    ix->buckets[ix->bucket_count++] = NULL;
    if (ix->bucket_count <= ix->half_count)
        return;
    old = &ix->buckets[ix->bucket_count - 1 - ix->half_count];
    e = *old;
    *old = NULL;
    while (e != NULL) {
        struct index_entry *next = e->next, **bucket = bucket_of(ix, index_id(e));

        e->next = *bucket;
        *bucket = e;
        e = next;
    }
}

struct index_entry *index_find(const struct index *ix, slice id)
{
    if (ix->bucket_count == 0)
        return NULL;
    for (struct index_entry *e = *bucket_of(ix, id); e != NULL; e = e->next)
        if (slice_eq(index_id(e), id))
            return e;
    return NULL;
}

static struct index_entry *add(struct index *ix, slice id)
{
    struct index_entry *e, **bucket;

    BUG_IF(id.n == 0 || id.n > UINT8_MAX);
    if (ix->count >= ix->bucket_count)
        grow(ix);
    e = xcalloc(1, sizeof *e + id.n);
    e->id_bytes = (uint8_t)id.n;
    memcpy(e->id, id.p, id.n);
    e->queue = INDEX_QUEUES;
    e->state = INDEX_UNREAD;
    bucket = bucket_of(ix, id);
    e->next = *bucket;
    *bucket = e;
    ix->count++;
    return e;
}

static void leave_queue(struct index *ix, struct index_entry *e)
{
    if (e->queue == INDEX_QUEUES)
        return;
    list_remove(&e->same_queue);
    ix->counts[e->queue]--;
}

static void enter_queue(struct index *ix, struct index_entry *e, enum index_queue queue)
{
    leave_queue(ix, e);
    list_push_back(&ix->queues[queue], &e->same_queue);
    ix->counts[queue]++;
    e->queue = (uint8_t)queue;
}

bool index_is_file(const struct index_entry *e, const struct index_file *file)
{
    return e->inode == file->inode && e->bytes == file->bytes && e->changed_us == file->changed_us;
}

static void take_file(struct index *ix, struct index_entry *e, const struct index_file *file)
{
    forget_details(ix, e);
    e->inode = file->inode;
    e->bytes = file->bytes;
    e->changed_us = file->changed_us;
    e->state = INDEX_WANTED;
    list_push_back(&ix->wanted, &e->line);
}

struct index_entry *index_put(struct index *ix, enum index_queue queue, slice id, const struct index_file *file,
                              int64_t due_us)
{
    struct index_entry *e = index_find(ix, id);
    bool is_to_be_read;

    if (e == NULL)
        e = add(ix, id);
    /* Whoever reads it now, or could not, may have looked where it was. */
    is_to_be_read = e->queue != queue && (e->state == INDEX_READING || e->state == INDEX_UNREAD);
    if (e->queue != queue)
        enter_queue(ix, e, queue);
    if (is_to_be_read || !index_is_file(e, file)) {
        take_file(ix, e, file);
        ix->changes++;
    }
    e->forced_expire = file->forced_expire;
    e->pressed = false;
    e->scan = ix->scan;
    if (queue == INDEX_DEFERRED)
        heap_put(&ix->due, &e->due, due_us);
    else
        heap_remove(&ix->due, &e->due);
    return e;
}

void index_drop(struct index *ix, struct index_entry *e)
{
    struct index_entry **at = bucket_of(ix, index_id(e));

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    ix->count--;
    heap_remove(&ix->due, &e->due);
    leave_queue(ix, e);
    forget_details(ix, e);
    free(e);
    ix->changes++;
}

void index_remove(struct index *ix, slice id)
{
    struct index_entry *e = index_find(ix, id);

    if (e != NULL)
        index_drop(ix, e);
}

struct index_entry *index_first_due(const struct index *ix)
{
    struct heap_node *node = heap_first(&ix->due);

    return node == NULL ? NULL : CONTAINER_OF(node, struct index_entry, due);
}

/* ---- details ---- */

struct index_entry *index_take_wanted(struct index *ix)
{
    struct index_entry *e = LIST_FIRST(&ix->wanted, struct index_entry, line);

    if (e == NULL)
        return NULL;
    list_remove(&e->line);
    e->state = INDEX_READING;
    return e;
}

void index_learn(struct index *ix, struct index_entry *e, const struct shown *m)
{
    struct details *d = m == NULL ? NULL : details_new(&ix->texts, m, e);

    forget_details(ix, e);
    if (d == NULL)
        return;
    e->details = d;
    e->state = INDEX_KNOWN;
    ix->known++;
    ix->changes++;
}

/* ---- scans ---- */

void index_scan_begin(struct index *ix)
{
    ix->scan++;
}

bool index_seen(struct index *ix, enum index_queue queue, slice id)
{
    struct index_entry *e = index_find(ix, id);

    if (e == NULL || e->queue != queue)
        return false;
    e->scan = ix->scan;
    return true;
}

bool index_was_seen(const struct index *ix, const struct index_entry *e)
{
    return e->scan == ix->scan;
}

/* ---- cursors ---- */

void index_cursor_begin(struct index *ix, enum index_queue queue, struct index_cursor *c)
{
    *c = (struct index_cursor){0};
    list_push_front(&ix->queues[queue], &c->at.same_queue);
    list_push_back(&ix->queues[queue], &c->end.same_queue);
}

struct index_entry *index_cursor_next(struct index_cursor *c)
{
    struct index_entry *e;

    do {
        struct list *node = c->at.same_queue.next;

        if (node == &c->end.same_queue)
            return NULL;
        e = LIST_ENTRY(node, struct index_entry, same_queue);
        list_remove(&c->at.same_queue);
        list_insert_before(node->next, &c->at.same_queue);
    } while (e->id_bytes == 0); /* another cursor */
    return e;
}

void index_cursor_end(struct index_cursor *c)
{
    list_remove(&c->at.same_queue);
    list_remove(&c->end.same_queue);
}
