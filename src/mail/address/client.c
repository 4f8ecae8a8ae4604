#include "mail/address/client.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "mail/service/connect.h"
#include "mail/service/service.h"
#include "mail/syntax/address.h"

/* Recent answers; the oldest goes when there are too many. */
enum { CACHE_MOST = 512 };
#define CACHE_US SECONDS(30)
#define RETRY_US SECONDS(1)

struct entry {
    struct list age; /* oldest first */
    char *key;
    size_t key_bytes;
    deadline good_until;
    char *a, *b, *c; /* address; or transport, nexthop, recipient */
    size_t a_bytes, b_bytes, c_bytes;
    int64_t flags;
};

struct address_client {
    struct link_pool *links;
    struct map cache;
    struct list ages;
};

struct address_client *address_client_new(void)
{
    struct address_client *c = xcalloc(1, sizeof *c);

    c->links = link_pool_new("private", service_params()->rewrite_service_name, REWRITE_PROTOCOL);
    map_init(&c->cache);
    list_init(&c->ages);
    return c;
}

static void entry_free(void *p)
{
    struct entry *e = p;

    list_remove(&e->age);
    free(e->key);
    free(e->a);
    free(e->b);
    free(e->c);
    free(e);
}

void address_client_free(struct address_client *c)
{
    map_done(&c->cache, entry_free);
    link_pool_free(c->links);
    free(c);
}

/* ---- the cache ---- */
static void drop(struct address_client *c, struct entry *e)
{
    (void)map_take(&c->cache, slice_of(e->key, e->key_bytes));
    entry_free(e);
}

static struct entry *recall(struct address_client *c, slice key)
{
    struct entry *e = map_get(&c->cache, key);

    if (e != NULL && deadline_passed(e->good_until)) {
        drop(c, e);
        return NULL;
    }
    return e;
}

static struct entry *remember(struct address_client *c, slice key)
{
    struct entry *e = map_get(&c->cache, key);

    if (e != NULL)
        drop(c, e);
    else if (c->cache.count >= CACHE_MOST)
        drop(c, LIST_FIRST(&c->ages, struct entry, age));
    e = xcalloc(1, sizeof *e);
    e->key = xstrndup(key.p, key.n);
    e->key_bytes = key.n;
    e->good_until = deadline_in(CACHE_US);
    list_push_back(&c->ages, &e->age);
    (void)map_set(&c->cache, key, e);
    return e;
}

/* Values on the wire have no NUL, so it parts them. */
static void make_key(struct buf *key, char kind, slice first, slice second)
{
    (void)buf_add_char(key, kind);
    (void)buf_add(key, first);
    (void)buf_add_char(key, '\0');
    (void)buf_add(key, second);
}

/* ---- asking ---- */

/* One exchange; while the service cannot be reached it is tried again every second. */
static bool ask(struct address_client *c, const struct ipc_shape *ask_shape, const void *question,
                const struct ipc_shape *answer_shape, void *answer, struct arena *arena, deadline by, struct err *err)
{
    struct err slept;

    while (!link_call(c->links, ask_shape, question, answer_shape, answer, arena, by, err)) {
        if (err->kind == ERR_CANCELLED || err->kind == ERR_LIMIT || deadline_passed(by))
            return err_note(err, "problem talking to service %s", service_params()->rewrite_service_name);
        if (!task_sleep(deadline_sooner(by, deadline_in(RETRY_US)), &slept)) {
            *err = slept;
            return false;
        }
    }
    return true;
}

bool address_rewrite(struct address_client *c, slice context, slice external, struct arena *arena, deadline by, slice *out,
                     struct err *err)
{
    AUTO_BUF struct buf key = BUF_INIT(8192);
    struct rewrite_ask question = {S("rewrite"), context, external};
    struct rewrite_answer answer;
    struct entry *e;

    make_key(&key, 'w', context, external);
    e = key.overflow ? NULL : recall(c, buf_slice(&key));
    if (e != NULL)
        return arena_copy(arena, slice_of(e->a, e->a_bytes), out) || err_set(err, ERR_LIMIT, "no memory for an address");
    if (!ask(c, &rewrite_ask_shape, &question, &rewrite_answer_shape, &answer, arena, by, err))
        return false;
    *out = answer.address;
    if (key.overflow)
        return true;
    e = remember(c, buf_slice(&key));
    e->a = xstrndup(answer.address.p, answer.address.n);
    e->a_bytes = answer.address.n;
    return true;
}

bool address_rewrite_internal(struct address_client *c, slice context, slice internal, struct arena *arena, deadline by,
                              slice *out, struct err *err)
{
    AUTO_BUF struct buf quoted = BUF_INIT(16384), plain = BUF_INIT(16384);
    slice external;

    if (!address_quote(internal, &quoted))
        return err_set(err, ERR_LIMIT, "address of %zu bytes", internal.n);
    if (!address_rewrite(c, context, buf_slice(&quoted), arena, by, &external, err))
        return false;
    if (!address_unquote(external, &plain) || !arena_copy(arena, buf_slice(&plain), out))
        return err_set(err, ERR_LIMIT, "no memory for an address");
    return true;
}

static bool resolved_from(const struct entry *e, struct arena *arena, struct resolved *out, struct err *err)
{
    struct resolved r = {.flags = e->flags};

    if (!arena_copy(arena, slice_of(e->a, e->a_bytes), &r.transport) ||
        !arena_copy(arena, slice_of(e->b, e->b_bytes), &r.nexthop) ||
        !arena_copy(arena, slice_of(e->c, e->c_bytes), &r.recipient))
        return err_set(err, ERR_LIMIT, "no memory for an address");
    *out = r;
    return true;
}

static bool resolve(struct address_client *c, slice request, slice sender, slice internal, struct arena *arena, deadline by,
                    struct resolved *out, struct err *err)
{
    AUTO_BUF struct buf key = BUF_INIT(8192);
    struct resolve_ask question = {request, sender, internal};
    struct resolve_answer answer;
    struct entry *e;

    make_key(&key, request.p[0], sender, internal);
    e = key.overflow ? NULL : recall(c, buf_slice(&key));
    if (e != NULL)
        return resolved_from(e, arena, out, err);
    if (!ask(c, &resolve_ask_shape, &question, &resolve_answer_shape, &answer, arena, by, err))
        return false;
    *out = (struct resolved){answer.transport, answer.nexthop, answer.recipient, answer.flags};
    if (key.overflow || (answer.flags & RESOLVE_FAIL) != 0)
        return true; /* trouble is not remembered */
    e = remember(c, buf_slice(&key));
    e->a = xstrndup(answer.transport.p, answer.transport.n);
    e->a_bytes = answer.transport.n;
    e->b = xstrndup(answer.nexthop.p, answer.nexthop.n);
    e->b_bytes = answer.nexthop.n;
    e->c = xstrndup(answer.recipient.p, answer.recipient.n);
    e->c_bytes = answer.recipient.n;
    e->flags = answer.flags;
    return true;
}

bool address_resolve(struct address_client *c, slice sender, slice internal, struct arena *arena, deadline by,
                     struct resolved *out, struct err *err)
{
    return resolve(c, S("resolve"), sender, internal, arena, by, out, err);
}

bool address_resolve_probe(struct address_client *c, slice sender, slice internal, struct arena *arena, deadline by,
                           struct resolved *out, struct err *err)
{
    return resolve(c, S("verify"), sender, internal, arena, by, out, err);
}
