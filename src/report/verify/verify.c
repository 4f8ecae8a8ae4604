/* verify(8) - knows which addresses are deliverable, and sends probes to find out. */
#include "core/base/clock.h"
#include "core/base/cut.h"
#include "core/run/task.h"
#include "mail/events/events.h"
#include "mail/proto/verify.h"
#include "mail/service/service.h"
#include "report/verify/entry.h"
#include "report/verify/probe.h"
#include "report/verify/store.h"

enum { MEMORY = 1 << 20, KEY_MOST = 65536, ENTRY_MOST = 1 << 20, PIECE = 100, WARNINGS_MOST = 65536 };
#define ANSWER_US SECONDS(100)
#define CLEANED_KEY S("_LAST_CACHE_CLEANUP_COMPLETED_")

static struct store *store;
static struct entry_limits limits;

static struct cleanup {
    bool runs;
    unsigned retained, dropped;
} cleanup;

static int64_t now_s(void)
{
    return clock_wall_us() / SECONDS(1);
}

static deadline store_deadline(void)
{
    return deadline_in(service_params()->ipc_timeout_us);
}

/* ---- the cache ---- */

/* A colon would end a key in some tables' text. */
static void make_key(slice address, struct buf *key)
{
    for (size_t i = 0; i < address.n; i++)
        (void)buf_add_char(key, address.p[i] == ':' ? '_' : address.p[i]);
}

static bool parse(slice text, struct entry *out)
{
    if (entry_parse(text, out))
        return true;
    event_warning("bad address verify table entry: %.*s", S_ARG(slice_head(text, slice_find(text, ':'))));
    return false;
}

/* False: nothing is known.  OUT points into TEXT. */
static bool look_up(slice key, struct buf *text, struct entry *out)
{
    struct err err;

    switch (store_get(store, key, store_deadline(), text, &err)) {
    case TABLE_FOUND:
        return parse(buf_slice(text), out);
    case TABLE_NOT_FOUND:
        return false;
    default:
        event_warning("%s", err.text);
        event_warning("%s: cache lookup for '%.*s' failed due to error", store_name(store), S_ARG(key));
        return false;
    }
}

static void keep(slice key, const struct entry *e)
{
    AUTO_BUF struct buf text = BUF_INIT(ENTRY_MOST);
    struct err err;

    (void)entry_print(e, &text);
    if (store_put(store, key, buf_slice(&text), store_deadline(), &err))
        return;
    event_warning("%s", err.text);
    event_warning("%s: could not update entry for %.*s", store_name(store), S_ARG(key));
}

static void forget(slice key)
{
    struct err err;

    if (!store_delete(store, key, store_deadline(), &err))
        event_warning("%s", err.text);
}

/* ---- cleaning it up ---- */

/* False: the walk is over, or cannot go on. */
static bool clean_one(bool first, struct buf *key, struct buf *text, bool *complete)
{
    struct entry e;
    struct err err;

    switch (store_next(store, first, store_deadline(), key, text, &err)) {
    case TABLE_FOUND:
        break;
    case TABLE_NOT_FOUND:
        *complete = true;
        return false;
    default:
        event_warning("%s", err.text);
        event_warning("%s: cache cleanup scan terminated due to error", store_name(store));
        return false;
    }
    if (slice_eq(buf_slice(key), CLEANED_KEY))
        return true;
    if (parse(buf_slice(text), &e) && entry_counts(&e, &limits, now_s())) {
        cleanup.retained++;
        return true;
    }
    cleanup.dropped++;
    forget(buf_slice(key));
    return true;
}

static void report_cleanup(bool complete)
{
    cleanup.runs = false;
    event_info("cache %s %s cleanup: retained=%u dropped=%u entries", store_name(store), complete ? "full" : "partial",
               cleanup.retained, cleanup.dropped);
}

static bool clean_up(struct err *err)
{
    AUTO_BUF struct buf key = BUF_INIT(KEY_MOST), text = BUF_INIT(ENTRY_MOST);
    bool complete = false;

    cleanup = (struct cleanup){.runs = true};
    for (unsigned i = 0; clean_one(i == 0, &key, &text, &complete); i++)
        if (i % PIECE == PIECE - 1 && !task_yield(err))
            return false;
    report_cleanup(complete);
    buf_clear(&text);
    (void)buf_addf(&text, "%lld", (long long)now_s());
    if (complete && !store_put(store, CLEANED_KEY, buf_slice(&text), store_deadline(), err))
        event_warning("%s", err->text);
    return true;
}

/* When the next one is due, in seconds from now. */
static int64_t due_in(int64_t interval_s)
{
    AUTO_BUF struct buf text = BUF_INIT(1000);
    int64_t last;
    struct err err;

    if (store_get(store, CLEANED_KEY, store_deadline(), &text, &err) != TABLE_FOUND || !slice_to_i64(buf_slice(&text), &last) ||
        last > now_s() || now_s() - last >= interval_s)
        return 0;
    return interval_s - (now_s() - last);
}

static void cleaner(void *arg)
{
    const int64_t interval_s = service_params()->address_verify_cache_cleanup_interval_us / SECONDS(1);
    int64_t wait_s = due_in(interval_s);
    struct err err;

    (void)arg;
    while (task_sleep(deadline_in(SECONDS(wait_s)), &err) && clean_up(&err))
        wait_s = interval_s;
}

/* ---- requests ---- */

static bool answer(struct stream *s, const struct ipc_shape *shape, const void *message)
{
    struct err err;
    deadline by = deadline_in(ANSWER_US);

    service_answered();
    return ipc_write(s, shape, message, by, &err) && stream_flush(s, by, &err);
}

/* Without a cache for bad news there is nothing that the next one who asks could be told. */
static void probe(slice key, struct entry *e)
{
    e->probed = now_s();
    if (e->status == VERIFY_TODO && !service_params()->address_verify_negative_cache)
        forget(key);
    else
        keep(key, e);
    probe_send(key);
}

static bool on_query(struct stream *s, struct arena *arena, struct err *err)
{
    AUTO_BUF struct buf key = BUF_INIT(KEY_MOST), text = BUF_INIT(ENTRY_MOST);
    struct verify_query_rest ask;
    struct entry e;

    if (!ipc_read_rest(s, &verify_query_rest_shape, arena, deadline_in(ANSWER_US), &ask, err))
        return false;
    make_key(ask.address, &key);
    if (!look_up(buf_slice(&key), &text, &e) || !entry_counts(&e, &limits, now_s()))
        e = entry_unknown();
    const struct verify_answer a = {.recipient_status = e.status, .reason = e.reason};
    if (!answer(s, &verify_answer_shape, &a))
        return true; /* gone; the next read says so */
    if (entry_wants_probe(&e, &limits, now_s()))
        probe(buf_slice(&key), &e);
    return true;
}

/* What is known to be good does not become bad by one probe that failed: it expires. */
static void update(slice address, int status, slice reason)
{
    AUTO_BUF struct buf key = BUF_INIT(KEY_MOST), text = BUF_INIT(ENTRY_MOST);
    struct entry known;
    const struct entry e = {.status = status, .updated = now_s(), .reason = reason};

    make_key(address, &key);
    if (status != VERIFY_OK && look_up(buf_slice(&key), &text, &known) && known.status == VERIFY_OK)
        return;
    keep(buf_slice(&key), &e);
}

static bool on_update(struct stream *s, struct arena *arena, struct err *err)
{
    struct verify_update_rest ask;
    struct verify_done done = {0};

    if (!ipc_read_rest(s, &verify_update_rest_shape, arena, deadline_in(ANSWER_US), &ask, err))
        return false;
    if (ask.recipient_status < VERIFY_OK || ask.recipient_status > VERIFY_BOUNCE) {
        event_warning("bad recipient status %lld for recipient %.*s", (long long)ask.recipient_status, S_ARG(ask.address));
        done.status = VERIFY_BAD;
    } else {
        update(ask.address, (int)ask.recipient_status, ask.reason);
    }
    (void)answer(s, &verify_done_shape, &done);
    return true;
}

static bool on_unknown(struct stream *s, slice request, struct arena *arena, struct err *err)
{
    const struct verify_done done = {VERIFY_BAD};

    event_warning("unrecognized request: \"%.*s\", ignored", S_ARG(request));
    return ipc_skip_rest(s, arena, deadline_in(ANSWER_US), err) && answer(s, &verify_done_shape, &done);
}

static bool serve(struct stream *s, slice request, struct arena *arena, struct err *err)
{
    if (slice_eq(request, S("query")))
        return on_query(s, arena, err);
    if (slice_eq(request, S("update")))
        return on_update(s, arena, err);
    return on_unknown(s, request, arena, err);
}

static void client(struct stream *s)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(MEMORY);
    struct err err = {.kind = ERR_NONE};
    slice request;

    stream_set_name(s, "verify socket");
    if (!ipc_hello(s, VERIFY_PROTOCOL, deadline_in(ANSWER_US), &err))
        return;
    while (ipc_read_first(s, "request", &arena, NEVER, &request, &err) == IPC_MESSAGE_READ) {
        if (!serve(s, request, &arena, &err)) {
            if (err.kind == ERR_PEER)
                event_warning("%s", err.text);
            return;
        }
        arena_reset(&arena);
    }
}

/* ---- life ---- */

static bool pre_start(struct service_run *run, struct err *err)
{
    AUTO_BUF struct buf warnings = BUF_INIT(WARNINGS_MOST);

    (void)err;
    limits = entry_limits_from(run->params);
    store = store_open(run, slice_text(run->params->address_verify_map), &warnings);
    event_warning_lines(buf_slice(&warnings));
    return true;
}

static bool start(struct service_run *run, struct err *err)
{
    return run->params->address_verify_cache_cleanup_interval_us == 0 || service_spawn("cleanup", cleaner, NULL, true, err);
}

static void stop(void)
{
    if (cleanup.runs)
        report_cleanup(false);
    store_close(store);
}

int main(int argc, char **argv)
{
    static const struct service verify = {
        .name = "verify",
        .instances = SERVICE_ONE,
        .flags = SERVICE_MULTI,
        .needs = {.may = SANDBOX_SERVICES, .writes = "$data_directory $address_verify_map"},
        .pre_start = pre_start,
        .start = start,
        .client = client,
        .stop = stop,
    };

    return service_main(&verify, argc, argv);
}
