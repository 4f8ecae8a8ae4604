#include "deliver/smtp/cache.h"

static struct list idle = {&idle, &idle};
static unsigned idle_count;
enum { IDLE_MOST = 500 };

static void leave_cache(struct connection *c)
{
    list_remove(&c->idle);
    timer_clear(&c->expiry);
    idle_count--;
}

static void expire(void *arg)
{
    leave_cache(arg);
    connection_close(arg, true);
}

/* Nothing may come from an idle server but its farewell. */
static bool is_quiet(struct connection *c)
{
    bool closed = false;
    struct err err;

    return stream_buffered(c->stream) == 0 && !stream_wait_peer(c->stream, AT_ONCE, &closed, &err) &&
           err.kind == ERR_TIMEOUT;
}

struct connection *cache_take(slice key)
{
    LIST_EACH(at, &idle)
    {
        struct connection *c = LIST_ENTRY(at, struct connection, idle);

        if (!slice_eq(slice_text(c->key), key))
            continue;
        leave_cache(c);
        if (is_quiet(c))
            return c;
        connection_close(c, false);
    }
    return NULL;
}

static bool is_worn_out(const struct connection *c)
{
    int most = c->settings->connection_reuse_count_limit;

    return deadline_passed(c->grow_old) || (most > 0 && c->uses >= (unsigned)most);
}

void cache_put(struct connection *c)
{
    if (c->broken || is_worn_out(c) || idle_count >= IDLE_MOST) {
        connection_part(c);
        return;
    }
    c->uses++;
    c->queue_id = S("");
    list_push_front(&idle, &c->idle);
    idle_count++;
    timer_set(&c->expiry, deadline_in(c->settings->connection_cache_time_limit_us), expire, c);
}

void cache_close_all(void)
{
    LIST_EACH(at, &idle)
    expire(LIST_ENTRY(at, struct connection, idle));
}
