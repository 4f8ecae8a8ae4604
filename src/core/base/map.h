/* core/base/map.h - hash table from byte strings to pointers, with a seed of its own per process.
 *
 * The map copies keys; values belong to the caller.  Iteration order is insertion order.  Cannot fail (memory aborts). */
#ifndef CORE_BASE_MAP_H
#define CORE_BASE_MAP_H

#include "core/base/slice.h"

struct map_entry {
    struct map_entry *bucket_next;
    struct map_entry *next, *prev; /* insertion order */
    void *value;
    uint64_t hash;
    size_t key_bytes;
    char key[]; /* with a NUL behind it */
};

struct map {
    struct map_entry **buckets;
    struct map_entry *first, *last;
    size_t count, bucket_count;
};

void map_init(struct map *m);
/* FREE_VALUE, when not NULL, is called for each value. */
void map_done(struct map *m, void (*free_value)(void *value));

/* NULL: no such key. */
void *map_get(const struct map *m, slice key);
/* Sets, and returns the value that was there before, or NULL. */
void *map_set(struct map *m, slice key, void *value);
/* Takes the entry out and returns its value, or NULL. */
void *map_take(struct map *m, slice key);

static inline slice map_key(const struct map_entry *e)
{
    return (slice){e->key, e->key_bytes};
}

#define MAP_EACH(each, map)                                                                                            \
    for (struct map_entry *each = (map)->first, *each##_next = each ? each->next : NULL; each != NULL;                 \
         each = each##_next, each##_next = each ? each->next : NULL)

/* FNV-1a with a per-process random start; also useful elsewhere. */
uint64_t hash_bytes(slice s);

#endif
