/* proxymap(8): looks things up in tables for other daemons; as proxywrite also changes them. */
#include <string.h>

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/proto/proxymap.h"
#include "mail/service/service.h"
#include "support/proxymap/approved.h"

enum { MEMORY = 4 << 20, VALUE_MOST = 4 << 20 };

/* Flags of the wire that mean something to us; and what an open reply says of a table. */
enum {
    WIRE_FOLD_FIXED = 0x100,
    WIRE_UTF8 = 0x80000,
    REPLY_UTF8_ACTIVE = 0x100000,
    REPLY_FIXED = 0x10,
    REPLY_PATTERN = 0x20,
    REPLY_TRY_NUL = 0x0c,
    /* What of the client's own comes back: NULs, locking, what is trusted, folding. */
    REPLY_ECHO = 0x4 | 0x8 | 0x40 | 0x100 | 0x200 | 0x400 | 0x10000 | 0x20000 | 0x80000 | 0x100000,
};

static struct approved approved;
static bool is_writer;

/* One client; a request's memory lives until its answer is out. */
struct talk {
    struct stream *s;
    struct arena arena;
    struct err err;
    bool good; /* the request was one */
};

static deadline request_deadline(void)
{
    return deadline_in(SECONDS(100));
}

/* False: the client is gone. */
static bool read_request(struct talk *t, const struct ipc_shape *shape, void *message)
{
    if (!ipc_read_rest_or_skip(t->s, shape, &t->arena, request_deadline(), message, &t->good, &t->err))
        return false;
    if (!t->good)
        event_warning("%s", t->err.text);
    return true;
}

static int64_t refuse(slice table)
{
    const char *kind = is_writer ? "read-write" : "read-only",
               *list = is_writer ? "proxy_write_maps" : "proxy_read_maps";

    event_warning("request for unapproved table: \"%.*s\"", S_ARG(table));
    event_warning("to approve this table for %s access, list proxy:%.*s in main.cf:%s", kind, S_ARG(table), list);
    return PROXY_DENIED;
}

static void tell_of(const struct approved_table *t)
{
    slice rest, line;

    if (t->problem.kind != ERR_NONE)
        event_error("%s", t->problem.text);
    if (t->reader == NULL)
        return;
    rest = table_warnings(t->reader);
    while (cut_field(&rest, '\n', &line))
        event_warning("%.*s", S_ARG(line));
}

/* PROXY_OK with *OUT, which may be unusable, or the status to answer.  *NAME loses its "proxy:". */
static int64_t find(const struct talk *t, slice *name, int64_t flags, struct approved_table **out)
{
    bool first;

    if (!t->good)
        return PROXY_BAD;
    while (cut_prefix(name, S("proxy:")))
        ;
    if (slice_find(*name, ':') == SLICE_NONE)
        return PROXY_BAD;
    *out = approved_get(&approved, *name, (flags & WIRE_FOLD_FIXED) != 0 ? TABLE_FOLD : 0, &first);
    if (*out == NULL)
        return refuse(*name);
    if (first)
        tell_of(*out);
    return PROXY_OK;
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
    struct proxy_open_rest ask = {.flags = 0};
    struct approved_table *table;

    if (!read_request(t, &proxy_open_rest_shape, &ask))
        return false;
    a.status = find(t, &ask.table, ask.flags, &table);
    if (a.status == PROXY_OK) {
        a.flags = (ask.flags & REPLY_ECHO) | (approved_is_pattern(table) ? REPLY_PATTERN : REPLY_FIXED);
        if ((ask.flags & WIRE_UTF8) != 0)
            a.flags |= REPLY_UTF8_ACTIVE;
        if (table->writer != NULL && (ask.flags & REPLY_TRY_NUL) == 0)
            a.flags |= REPLY_TRY_NUL;
    }
    return answer(t, &proxy_open_answer_shape, &a);
}

/* What fail: says is nothing for the log. */
static void warn_of_lookup(slice table, const struct err *err)
{
    if (!slice_starts(table, S("fail:")))
        event_warning("%s", err->text);
}

static bool serve_lookup(struct talk *t)
{
    AUTO_BUF struct buf value = BUF_INIT(VALUE_MOST);
    struct proxy_lookup_answer a = {.value = S("")};
    struct proxy_lookup_rest ask = {.flags = 0};
    struct approved_table *table;
    struct err err;

    if (!read_request(t, &proxy_lookup_rest_shape, &ask))
        return false;
    a.status = find(t, &ask.table, ask.flags, &table);
    if (a.status == PROXY_OK)
        switch (
            approved_lookup(table, ask.table, ask.key, deadline_in(service_params()->ipc_timeout_us), &value, &err)) {
        case TABLE_FOUND:
            a.value = buf_slice(&value);
            break;
        case TABLE_NOT_FOUND:
            a.status = PROXY_NO_KEY;
            break;
        default:
            warn_of_lookup(ask.table, &err);
            a.status = PROXY_RETRY;
        }
    return answer(t, &proxy_lookup_answer_shape, &a);
}

/* VALUE NULL: deletes. */
static int64_t change(const struct talk *t, slice name, slice key, const slice *value)
{
    struct approved_table *table;
    bool existed = true;
    int64_t status;
    struct err err;

    if (!t->good)
        return PROXY_BAD;
    if (!is_writer) {
        event_warning("refusing %.*s %s request on non-%s service", S_ARG(name), value != NULL ? "update" : "delete",
                      PROXYWRITE_SERVICE);
        return PROXY_DENIED;
    }
    status = find(t, &name, 0, &table);
    if (status != PROXY_OK)
        return status;
    if (table->writer == NULL) {
        event_warning("%.*s is unavailable. %s", S_ARG(name), table->problem.text);
        return PROXY_RETRY;
    }
    if (value != NULL ? table_writer_put(table->writer, key, *value, true, &err) != TABLE_PUT_OK
                      : !table_writer_delete(table->writer, key, &existed, &err)) {
        event_warning("%.*s: %s", S_ARG(name), err.text);
        return PROXY_RETRY;
    }
    return existed ? PROXY_OK : PROXY_NO_KEY;
}

static bool serve_update(struct talk *t)
{
    struct proxy_update_rest ask;
    struct proxy_status a;

    if (!read_request(t, &proxy_update_rest_shape, &ask))
        return false;
    a.status = change(t, ask.table, ask.key, &ask.value);
    return answer(t, &proxy_status_shape, &a);
}

static bool serve_delete(struct talk *t)
{
    struct proxy_lookup_rest ask;
    struct proxy_status a;

    if (!read_request(t, &proxy_lookup_rest_shape, &ask))
        return false;
    a.status = change(t, ask.table, ask.key, NULL);
    return answer(t, &proxy_status_shape, &a);
}

/* ---- walking through a table: the client asks for the first pair, then for the next one each time ---- */
struct walk {
    int64_t wanted, at;
    struct buf *key, *value;
    bool found;
};

static bool visit(void *context, slice key, slice value)
{
    struct walk *w = context;

    if (w->at++ < w->wanted)
        return true;
    (void)buf_add(w->key, key);
    (void)buf_add(w->value, value);
    w->found = true;
    return false;
}

/* In a table to read there is no cursor: the position is kept as the map's value, a count that nobody follows. */
static enum table_got next_read(slice name, bool first, struct map *positions, struct walk *w, struct err *err)
{
    const void *position = map_get(positions, name);

    if (!first && position == NULL)
        return TABLE_NOT_FOUND;
    w->wanted = first ? 0 : (int64_t)(intptr_t)position;
    if (!table_each(name, visit, w, err) && !w->found)
        return TABLE_FAILED;
    (void)map_set(positions, name, w->found ? (void *)(intptr_t)(w->wanted + 1) : NULL);
    return w->found ? TABLE_FOUND : TABLE_NOT_FOUND;
}

static int64_t next_pair(const struct talk *t, slice name, int64_t function, struct map *positions, struct walk *w)
{
    struct approved_table *table;
    enum table_got got;
    int64_t status;
    struct err err;

    if (t->good && (function < 0 || function > 1))
        return PROXY_BAD;
    status = find(t, &name, 0, &table);
    if (status != PROXY_OK)
        return status;
    got = table->writer != NULL ? table_writer_next(table->writer, function == 0, w->key, w->value, &err)
                                : next_read(name, function == 0, positions, w, &err);
    if (got == TABLE_FAILED)
        event_warning("%.*s: %s", S_ARG(name), err.text);
    return got == TABLE_FOUND ? PROXY_OK : got == TABLE_NOT_FOUND ? PROXY_NO_KEY : PROXY_RETRY;
}

static bool serve_sequence(struct talk *t, struct map *positions)
{
    AUTO_BUF struct buf key = BUF_INIT(VALUE_MOST), value = BUF_INIT(VALUE_MOST);
    struct walk w = {.key = &key, .value = &value};
    struct proxy_sequence_answer a = {.key = S(""), .value = S("")};
    struct proxy_sequence_rest ask = {.flags = 0};

    if (!read_request(t, &proxy_sequence_rest_shape, &ask))
        return false;
    a.status = next_pair(t, ask.table, ask.function, positions, &w);
    if (a.status == PROXY_OK) {
        a.key = buf_slice(&key);
        a.value = buf_slice(&value);
    }
    return answer(t, &proxy_sequence_answer_shape, &a);
}

static bool serve_unknown(struct talk *t, slice request)
{
    const struct proxy_status a = {PROXY_BAD};

    event_warning("unrecognized request: \"%.*s\", ignored", S_ARG(request));
    return ipc_skip_rest(t->s, &t->arena, request_deadline(), &t->err) && answer(t, &proxy_status_shape, &a);
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
    stream_set_name(s, "proxymap socket");
    if (ipc_hello(s, PROXYMAP_PROTOCOL, deadline_in(SECONDS(100)), &t.err))
        while (ipc_read_first(s, "request", &t.arena, NEVER, &request, &t.err) == IPC_MESSAGE_READ &&
               serve(&t, request, &positions))
            arena_reset(&t.arena);
    map_done(&positions, NULL);
    arena_done(&t.arena);
}

static bool open_all(struct service_run *run, struct err *err)
{
    struct service_needs *needs = service_needs();

    (void)err;
    is_writer = slice_eq(slice_text(run->name), S(PROXYWRITE_SERVICE));
    *(is_writer ? &needs->reads : &needs->writes) = NULL;
    approved_init(&approved, slice_text(is_writer ? run->params->proxy_write_maps : run->params->proxy_read_maps),
                  is_writer);
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
        .needs = {.may = SANDBOX_NAMES | SANDBOX_SERVICES, .reads = "$proxy_read_maps", .writes = "$proxy_write_maps"},
        .pre_start = open_all,
        .start = start,
        .client = client,
    };

    return service_main(&proxymap, argc, argv);
}
