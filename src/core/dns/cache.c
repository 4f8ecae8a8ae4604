#include "core/dns/cache.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/list.h"
#include "core/base/map.h"

enum { KEY_BYTES = 300, ANSWER_BYTES = 64 * 1024 };
#define WITHOUT_RECORDS_US SECONDS(5)

struct entry {
    struct list age; /* oldest first */
    char key[KEY_BYTES];
    size_t key_bytes;
    deadline good_until;
    enum dns_got got;
    struct dns_answer answer;
    struct arena arena;
};

struct dns_cache {
    struct dns *dns;
    size_t most;
    int64_t most_us;
    struct map entries;
    struct list ages;
};

struct dns_cache *dns_cache_new(struct dns *d, size_t most, int64_t most_us)
{
    struct dns_cache *c = xcalloc(1, sizeof *c);

    c->dns = d;
    c->most = most;
    c->most_us = most_us;
    map_init(&c->entries);
    list_init(&c->ages);
    return c;
}

static void entry_free(void *p)
{
    struct entry *e = p;

    list_remove(&e->age);
    arena_done(&e->arena);
    free(e);
}

void dns_cache_free(struct dns_cache *c)
{
    if (c == NULL)
        return;
    map_done(&c->entries, entry_free);
    free(c);
}

static void drop(struct dns_cache *c, struct entry *e)
{
    (void)map_take(&c->entries, slice_of(e->key, e->key_bytes));
    entry_free(e);
}

/* The type and the name without regard to case; empty: too long to be kept. */
static size_t make_key(slice name, enum dns_type type, char key[KEY_BYTES])
{
    if (name.n + 1 > KEY_BYTES)
        return 0;
    key[0] = (char)type;
    for (size_t i = 0; i < name.n; i++)
        key[i + 1] = ascii_lower(name.p[i]);
    return name.n + 1;
}

static bool copy_answer(const struct dns_answer *from, struct arena *arena, struct dns_answer *to)
{
    struct dns_answer copy = *from;
    struct dns_record **end = &copy.records;

    if (!arena_copy(arena, from->canonical, &copy.canonical))
        return false;
    for (const struct dns_record *r = from->records; r != NULL; r = r->next) {
        struct dns_record *each = ARENA_NEW(arena, struct dns_record);

        if (each == NULL)
            return false;
        *each = *r;
        if (!arena_copy(arena, r->name, &each->name) || !arena_copy(arena, r->text, &each->text))
            return false;
        *end = each;
        end = &each->next;
    }
    *end = NULL;
    *to = copy;
    return true;
}

static int64_t life_us(const struct dns_cache *c, enum dns_got got, const struct dns_answer *answer)
{
    int64_t us = got == DNS_FOUND ? c->most_us : WITHOUT_RECORDS_US;

    for (const struct dns_record *r = answer->records; r != NULL; r = r->next)
        if (SECONDS(r->ttl) < us)
            us = SECONDS(r->ttl);
    return us < c->most_us ? us : c->most_us;
}

static void remember(struct dns_cache *c, slice key, enum dns_got got, const struct dns_answer *answer)
{
    struct entry *e = map_get(&c->entries, key);
    int64_t us = life_us(c, got, answer);

    if (e != NULL)
        drop(c, e); /* another task was faster */
    if (us <= 0)
        return;
    if (c->entries.count >= c->most)
        drop(c, LIST_FIRST(&c->ages, struct entry, age));
    e = xcalloc(1, sizeof *e);
    arena_init(&e->arena, ANSWER_BYTES);
    e->got = got;
    e->good_until = deadline_in(us);
    e->key_bytes = key.n;
    memcpy(e->key, key.p, key.n);
    if (!copy_answer(answer, &e->arena, &e->answer)) {
        entry_free(e);
        return;
    }
    list_push_back(&c->ages, &e->age);
    (void)map_set(&c->entries, key, e);
}

enum dns_got dns_cache_lookup(struct dns_cache *c, slice name, enum dns_type type, struct arena *arena, deadline by,
                              struct dns_answer *out, struct err *err)
{
    char text[KEY_BYTES];
    slice key = slice_of(text, make_key(name, type, text));
    struct entry *e = key.n > 0 ? map_get(&c->entries, key) : NULL;
    enum dns_got got;

    if (e != NULL && !deadline_passed(e->good_until)) {
        if (copy_answer(&e->answer, arena, out)) {
            out->kept = true;
            return e->got;
        }
        (void)err_set(err, ERR_LIMIT, "no memory for an answer about %.*s", S_ARG(slice_head(name, 100)));
        return DNS_FAILED;
    }
    got = dns_lookup(c->dns, name, type, arena, by, out, err);
    if (got != DNS_FAILED && key.n > 0)
        remember(c, key, got, out);
    return got;
}
