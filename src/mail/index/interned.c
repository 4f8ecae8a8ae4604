#include "mail/index/interned.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/map.h"

enum { FIRST_BUCKETS = 64, DOMAIN_MOST = 255 /* longer texts are no domains, and found as they are only */ };

/* Of the text in small letters, so that all spellings of a domain share a bucket. */
static uint32_t hash_of(slice text)
{
    char small[DOMAIN_MOST];

    if (text.n > sizeof small)
        return (uint32_t)hash_bytes(text);
    for (size_t i = 0; i < text.n; i++)
        small[i] = ascii_lower(text.p[i]);
    return (uint32_t)hash_bytes(slice_of(small, text.n));
}

static struct interned **bucket_of(const struct interned_set *set, uint32_t hash)
{
    return &set->buckets[hash & (set->bucket_count - 1)];
}

void interned_done(struct interned_set *set)
{
    BUG_IF(set->count != 0);
    free(set->buckets);
    *set = (struct interned_set){0};
}

static void grow(struct interned_set *set)
{
    struct interned **old = set->buckets;
    size_t old_count = set->bucket_count;

    set->bucket_count = old_count == 0 ? FIRST_BUCKETS : old_count * 2;
    set->buckets = xcalloc(set->bucket_count, sizeof(struct interned *));
    for (size_t i = 0; i < old_count; i++)
        for (struct interned *t = old[i], *next; t != NULL; t = next) {
            struct interned **bucket = bucket_of(set, t->hash);

            next = t->next;
            t->next = *bucket;
            *bucket = t;
        }
    free(old);
}

struct interned *interned_use(struct interned_set *set, slice text)
{
    uint32_t hash = hash_of(text);
    struct interned *t, **bucket;

    BUG_IF(text.n > UINT32_MAX);
    for (t = set->bucket_count == 0 ? NULL : *bucket_of(set, hash); t != NULL; t = t->next)
        if (t->hash == hash && slice_eq(interned_text(t), text))
            return interned_share(t);
    if (set->count >= set->bucket_count)
        grow(set);
    t = xcalloc(1, sizeof *t + text.n);
    *t = (struct interned){.users = 1, .hash = hash, .bytes = (uint32_t)text.n};
    if (text.n > 0)
        memcpy(t->text, text.p, text.n);
    list_init(&t->mentions);
    bucket = bucket_of(set, hash);
    t->next = *bucket;
    *bucket = t;
    set->count++;
    return t;
}

struct interned *interned_share(struct interned *text)
{
    text->users++;
    return text;
}

void interned_leave(struct interned_set *set, struct interned *text)
{
    struct interned **at;

    if (text == NULL || --text->users > 0)
        return;
    BUG_IF(!list_empty(&text->mentions));
    for (at = bucket_of(set, text->hash); *at != text;)
        at = &(*at)->next;
    *at = text->next;
    set->count--;
    free(text);
}

struct interned *interned_domain(const struct interned_set *set, slice domain, const struct interned *after)
{
    uint32_t hash = hash_of(domain);
    struct interned *t = after != NULL ? after->next : set->bucket_count == 0 ? NULL : *bucket_of(set, hash);

    while (t != NULL && (t->hash != hash || !slice_eq_case(interned_text(t), domain)))
        t = t->next;
    return t;
}
