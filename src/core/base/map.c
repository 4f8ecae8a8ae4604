#include "core/base/map.h"

#include <stdlib.h>
#include <sys/auxv.h>

#include "core/base/bug.h"

/* The kernel gives each process 16 random bytes at start: a seed no peer can know. */
static uint64_t seed(void)
{
    uint64_t value = 0;
    const void *random = (const void *)getauxval(AT_RANDOM);

    if (random != NULL)
        memcpy(&value, random, sizeof value);
    return value;
}

uint64_t hash_bytes(slice s)
{
    uint64_t h = 0xcbf29ce484222325ULL ^ seed();

    for (size_t i = 0; i < s.n; i++) {
        h ^= (unsigned char)s.p[i];
        h *= 0x100000001b3ULL;
    }
    return h ^ (h >> 29);
}

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_done(struct map *m, void (*free_value)(void *value))
{
    MAP_EACH(e, m) {
        if (free_value != NULL)
            free_value(e->value);
        free(e);
    }
    free(m->buckets);
    map_init(m);
}

static void rehash(struct map *m, size_t bucket_count)
{
    free(m->buckets);
    m->buckets = xcalloc(bucket_count, sizeof *m->buckets);
    m->bucket_count = bucket_count;
    MAP_EACH(e, m) {
        struct map_entry **at = &m->buckets[e->hash & (bucket_count - 1)];

        e->bucket_next = *at;
        *at = e;
    }
}

static struct map_entry **find(const struct map *m, slice key, uint64_t hash)
{
    struct map_entry **at;

    if (m->bucket_count == 0)
        return NULL;
    for (at = &m->buckets[hash & (m->bucket_count - 1)]; *at != NULL; at = &(*at)->bucket_next)
        if ((*at)->hash == hash && slice_eq(map_key(*at), key))
            return at;
    return NULL;
}

void *map_get(const struct map *m, slice key)
{
    struct map_entry **at = find(m, key, hash_bytes(key));

    return at == NULL ? NULL : (*at)->value;
}

void *map_set(struct map *m, slice key, void *value)
{
    uint64_t hash = hash_bytes(key);
    struct map_entry **at = find(m, key, hash), *e;

    if (at != NULL) {
        void *old = (*at)->value;

        (*at)->value = value;
        return old;
    }
    if (m->count >= m->bucket_count)
        rehash(m, m->bucket_count == 0 ? 8 : m->bucket_count * 2);
    e = xcalloc(1, sizeof *e + key.n + 1);
    e->value = value;
    e->hash = hash;
    e->key_bytes = key.n;
    if (key.n > 0)
        memcpy(e->key, key.p, key.n);
    at = &m->buckets[hash & (m->bucket_count - 1)];
    e->bucket_next = *at;
    *at = e;
    e->prev = m->last;
    if (m->last != NULL)
        m->last->next = e;
    else
        m->first = e;
    m->last = e;
    m->count++;
    return NULL;
}

void *map_take(struct map *m, slice key)
{
    struct map_entry **at = find(m, key, hash_bytes(key)), *e;
    void *value;

    if (at == NULL)
        return NULL;
    e = *at;
    *at = e->bucket_next;
    if (e->prev != NULL)
        e->prev->next = e->next;
    else
        m->first = e->next;
    if (e->next != NULL)
        e->next->prev = e->prev;
    else
        m->last = e->prev;
    m->count--;
    value = e->value;
    free(e);
    return value;
}
