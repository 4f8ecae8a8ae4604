/* proxymap(8): looks things up in tables for other daemons; as proxywrite also changes them. */
#include <string.h>

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/proto/proxymap.h"
#include "mail/service/service.h"
#include "support/proxymap/approved.h"

enum { MEMORY = 4 << 20, VALUE_MOST = 4 << 20 };

/* Flags of the wire that mean something to us; and what an open reply says of a table whose keys are fixed strings. */
enum { WIRE_FOLD_FIXED = 0x100, REPLY_FIXED = 16, REPLY_PATTERN = 32 };

static struct approved approved;
static bool is_writer;

/* One client; a request's memory lives until its answer is out. */
struct talk {
    struct stream *s;
    struct arena arena;
    struct err err;
};

static int64_t refuse(slice table)
{
    const char *kind = is_writer ? "read-write" : "read-only", *list = is_writer ? "proxy_write_maps" : "proxy_read_maps";

    event_warning("request for unapproved table: \"%.*s\"", S_ARG(table));
    event_warning("to approve this table for %s access, list proxy:%.*s in main.cf:%s", kind, S_ARG(table), list);
    return PROXY_DENIED;
}

/* 0 with *OUT, or the status to answer. */
static int64_t find(slice table, int64_t flags, struct table **out)
{
    struct err err;

    switch (approved_get(&approved, table, (flags & WIRE_FOLD_FIXED) != 0 ? TABLE_FOLD : 0, out, &err)) {
    case TABLE_FOUND:
        return PROXY_OK;
    case TABLE_NOT_FOUND:
        return refuse(table);
    default:
        event_warning("%s", err.text);
        return PROXY_CONFIG;
    }
}

static bool answer(struct talk *t, const struct ipc_shape *shape, const void *message)
{
    bool ok = ipc_write(t->s, shape, message, deadline_in(service_params()->ipc_timeout_us), &t->err);

    service_answered();
    return ok;
}

static bool serve_open(struct talk *t)
{
    struct proxy_open_answer a = {0};
    struct proxy_open_rest ask;
    struct table *table;

    if (!ipc_read_rest(t->s, &proxy_open_rest_shape, &t->arena, deadline_in(SECONDS(100)), &ask, &t->err))
        return false;
    a.status = find(ask.table, ask.flags, &table);
    if (a.status == PROXY_OK)
        a.flags = table_is_pattern(table) ? REPLY_PATTERN : REPLY_FIXED;
    return answer(t, &proxy_open_answer_shape, &a);
}

static bool serve_lookup(struct talk *t)
{
    AUTO_BUF struct buf value = BUF_INIT(VALUE_MOST);
    struct proxy_lookup_answer a = {.value = S("")};
    struct proxy_lookup_rest ask;
    struct table *table;
    struct err err;

    if (!ipc_read_rest(t->s, &proxy_lookup_rest_shape, &t->arena, deadline_in(SECONDS(100)), &ask, &t->err))
        return false;
    a.status = find(ask.table, ask.flags, &table);
    if (a.status == PROXY_OK)
        switch (table_get(table, ask.key, deadline_in(service_params()->ipc_timeout_us), &value, &err)) {
        case TABLE_FOUND:
            a.value = buf_slice(&value);
            break;
        case TABLE_NOT_FOUND:
            a.status = PROXY_NO_KEY;
            break;
        default:
            event_warning("%.*s: %s", S_ARG(ask.table), err.text);
            a.status = PROXY_RETRY;
        }
    return answer(t, &proxy_lookup_answer_shape, &a);
}

/* Changing a table: opened, changed and closed in one go, so that it is never held open for writing. */
static int64_t change(slice table, slice key, const slice *value)
{
    struct table_writer *w;
    bool existed = true;
    struct err err;
    int64_t status = PROXY_OK;

    if (!is_writer || !approved_has(&approved, table))
        return refuse(table);
    w = table_writer_open(table, false, &err);
    if (w == NULL) {
        event_warning("%.*s: %s", S_ARG(table), err.text);
        return PROXY_CONFIG;
    }
    if (value != NULL ? table_writer_put(w, key, *value, true, &err) != TABLE_PUT_OK : !table_writer_delete(w, key, &existed, &err))
        status = PROXY_RETRY;
    if (!table_writer_close(w, &err))
        status = PROXY_RETRY;
    if (status == PROXY_RETRY)
        event_warning("%.*s: %s", S_ARG(table), err.text);
    return status == PROXY_OK && !existed ? PROXY_NO_KEY : status;
}

static bool serve_update(struct talk *t)
{
    struct proxy_update_rest ask;
    struct proxy_status a;

    if (!ipc_read_rest(t->s, &proxy_update_rest_shape, &t->arena, deadline_in(SECONDS(100)), &ask, &t->err))
        return false;
    a.status = change(ask.table, ask.key, &ask.value);
    return answer(t, &proxy_status_shape, &a);
}

static bool serve_delete(struct talk *t)
{
    struct proxy_lookup_rest ask;
    struct proxy_status a;

    if (!ipc_read_rest(t->s, &proxy_lookup_rest_shape, &t->arena, deadline_in(SECONDS(100)), &ask, &t->err))
        return false;
    a.status = change(ask.table, ask.key, NULL);
    return answer(t, &proxy_status_shape, &a);
}

/* ---- walking through a table: the client asks for the first pair, then for the next one each time ---- */
struct walk {
    int64_t wanted, at;
    struct buf key, value;
    bool found;
};

static bool visit(void *context, slice key, slice value)
{
    struct walk *w = context;

    if (w->at++ < w->wanted)
        return true;
    (void)buf_add(&w->key, key);
    (void)buf_add(&w->value, value);
    w->found = true;
    return false;
}

static bool serve_sequence(struct talk *t, struct map *positions)
{
    struct walk w = {.key = BUF_INIT(VALUE_MOST), .value = BUF_INIT(VALUE_MOST)};
    struct proxy_sequence_answer a = {.key = S(""), .value = S("")};
    struct proxy_sequence_rest ask;
    struct err err;
    bool ok;

    if (!ipc_read_rest(t->s, &proxy_sequence_rest_shape, &t->arena, deadline_in(SECONDS(100)), &ask, &t->err))
        return false;
    a.status = approved_has(&approved, ask.table) ? PROXY_NO_KEY : refuse(ask.table);
    if (a.status == PROXY_NO_KEY) {
        /* The position is kept as the map's value: a count, not a pointer that anybody follows. */
        w.wanted = ask.function == 0 ? 0 : (int64_t)(intptr_t)map_get(positions, ask.table);
        if (!table_each(ask.table, visit, &w, &err) && !w.found)
            a.status = PROXY_RETRY;
        if (w.found) {
            a = (struct proxy_sequence_answer){PROXY_OK, buf_slice(&w.key), buf_slice(&w.value)};
            (void)map_set(positions, ask.table, (void *)(intptr_t)(w.wanted + 1));
        }
    }
    ok = answer(t, &proxy_sequence_answer_shape, &a);
    buf_done(&w.key);
    buf_done(&w.value);
    return ok;
}

/* An unknown request has attributes nobody can know: the answer is all that can follow. */
static bool serve_unknown(struct talk *t, slice request)
{
    const struct proxy_status a = {PROXY_BAD};

    event_warning("unrecognized request: \"%.*s\", ignored", S_ARG(request));
    (void)answer(t, &proxy_status_shape, &a);
    return false;
}

static bool serve(struct talk *t, slice request, struct map *positions)
{
    if (slice_eq(request, S("lookup")))
        return serve_lookup(t);
    if (slice_eq(request, S("open")))
        return serve_open(t);
    if (slice_eq(request, S("sequence")))
        return serve_sequence(t, positions);
    if (slice_eq(request, S("update")))
        return serve_update(t);
    if (slice_eq(request, S("delete")))
        return serve_delete(t);
    return serve_unknown(t, request);
}

static void client(struct stream *s)
{
    struct talk t = {.s = s, .arena = ARENA_INIT(MEMORY)};
    struct map positions;
    slice request;

    map_init(&positions);
    if (ipc_hello(s, PROXYMAP_PROTOCOL, deadline_in(SECONDS(100)), &t.err))
        while (ipc_read_first(s, "request", &t.arena, NEVER, &request, &t.err) == IPC_MESSAGE_READ && serve(&t, request, &positions))
            arena_reset(&t.arena);
    map_done(&positions, NULL);
    arena_done(&t.arena);
}

static bool open_all(struct service_run *run, struct err *err)
{
    (void)err;
    is_writer = slice_eq(slice_text(run->name), S(PROXYWRITE_SERVICE));
    approved_init(&approved, slice_text(is_writer ? run->params->proxy_write_maps : run->params->proxy_read_maps));
    return true;
}

static bool start(struct service_run *run, struct err *err)
{
    (void)run;
    (void)err;
    service_watch(approved_changed, &approved);
    return true;
}

int main(int argc, char **argv)
{
    static const struct service proxymap = {
        .name = "proxymap",
        .instances = SERVICE_ANY,
        .flags = SERVICE_MULTI,
        .pre_start = open_all,
        .start = start,
        .client = client,
    };

    return service_main(&proxymap, argc, argv);
}
