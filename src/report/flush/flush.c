/* flush(8) - which messages wait for which site. */
#include "mail/events/events.h"
#include "mail/proto/flush.h"
#include "mail/queue/id.h"
#include "mail/service/service.h"
#include "mail/service/trigger.h"
#include "mail/table/table.h"
#include "report/flush/site_log.h"

enum { REQUEST_BYTES = 16384 };

static struct match_list *domains;
static struct queue_layout layout;

/* ---- requests ---- */

static void wake_queue_manager(slice letters)
{
    struct err err;

    if (!trigger_send("public/qmgr", letters, &err))
        event_warning("%s", err.text);
}

static enum flush_status refused(const struct err *err)
{
    event_warning("%s", err->text);
    return FLUSH_FAIL;
}

/* FLUSH_OK: NAME is the site's log. */
static enum flush_status log_of(slice site, struct buf *name)
{
    struct err err;
    deadline by = deadline_in(service_params()->ipc_timeout_us);

    switch (match_list_has(domains, site, S(""), by, &err)) {
    case TABLE_FOUND:
        return site_log_name(site, name) ? FLUSH_OK : FLUSH_BAD;
    case TABLE_FAILED:
        return refused(&err);
    default:
        return FLUSH_DENIED;
    }
}

static enum flush_status add(const struct flush_add_rest *ask)
{
    AUTO_BUF struct buf name = BUF_INIT(300);
    enum flush_status status = log_of(ask->site, &name);
    struct err err;

    if (status != FLUSH_OK)
        return status;
    if (!queue_id_valid(ask->queue_id))
        return FLUSH_BAD;
    return site_log_add(buf_slice(&name), ask->queue_id, &err) ? FLUSH_OK : refused(&err);
}

static enum flush_status send_log(slice name)
{
    int moved;
    struct err err;

    wake_queue_manager(S("F"));
    if (!site_log_send(&layout, name, &moved, &err))
        return refused(&err);
    if (moved > 0)
        wake_queue_manager(S("I"));
    return FLUSH_OK;
}

static enum flush_status send_site(slice site)
{
    AUTO_BUF struct buf name = BUF_INIT(300);
    enum flush_status status = log_of(site, &name);

    return status == FLUSH_OK ? send_log(buf_slice(&name)) : status;
}

static enum flush_status send_file(slice id)
{
    bool moved;
    struct err err;

    if (!queue_id_valid(id))
        return FLUSH_BAD;
    if (!site_move_to_incoming(&layout, id, true, &moved, &err))
        return refused(&err);
    if (moved)
        wake_queue_manager(S("I"));
    return FLUSH_OK;
}

static void send_one_log(slice name)
{
    (void)send_log(name);
}

static enum flush_status refresh(int64_t max_age_us)
{
    struct err err;

    if (site_logs_refresh(max_age_us, service_params()->fast_flush_purge_time_us, send_one_log, &err))
        return FLUSH_OK;
    return refused(&err);
}

/* ---- the conversation ---- */

static bool read_and_serve(struct stream *s, slice request, struct arena *arena, deadline by, enum flush_status *status,
                           struct err *err)
{
    struct flush_add_rest to_add;
    struct flush_site_rest site;
    struct flush_file_rest file;
    static const struct ipc_shape nothing = {.message = "flush_plain"};

    if (slice_eq(request, S("add"))) {
        if (!ipc_read_rest(s, &flush_add_rest_shape, arena, by, &to_add, err))
            return false;
        *status = add(&to_add);
    } else if (slice_eq(request, S("send_site"))) {
        if (!ipc_read_rest(s, &flush_site_rest_shape, arena, by, &site, err))
            return false;
        *status = send_site(site.site);
    } else if (slice_eq(request, S("send_file"))) {
        if (!ipc_read_rest(s, &flush_file_rest_shape, arena, by, &file, err))
            return false;
        *status = send_file(file.queue_id);
    } else if (slice_eq(request, S("rfrsh")) || slice_eq(request, S("purge"))) {
        if (!ipc_read_rest(s, &nothing, arena, by, &file, err))
            return false;
        *status = refresh(slice_eq(request, S("rfrsh")) ? service_params()->fast_flush_refresh_time_us : 0);
    }
    return true;
}

/* Master's wake-up says "W" where others begin a list. */
static bool is_trigger(struct stream *s, deadline by)
{
    struct err err;
    char first;

    return stream_peek_byte(s, &first, by, &err) && first == 'W';
}

static void client(struct stream *s)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(REQUEST_BYTES);
    deadline by = deadline_in(service_params()->ipc_timeout_us);
    struct flush_answer a;
    enum flush_status status = FLUSH_BAD;
    slice request;
    struct err err;

    if (!ipc_hello(s, FLUSH_PROTOCOL, by, &err) || !stream_flush(s, by, &err))
        return;
    if (is_trigger(s, by)) {
        (void)refresh(service_params()->fast_flush_refresh_time_us);
        return;
    }
    if (ipc_read_first(s, "request", &arena, by, &request, &err) != IPC_MESSAGE_READ)
        return;
    if (!read_and_serve(s, request, &arena, by, &status, &err)) {
        event_warning("%s", err.text);
        return;
    }
    a.status = status;
    if (!ipc_write(s, &flush_answer_shape, &a, by, &err) || !stream_flush(s, by, &err))
        event_warning("%s", err.text);
}

/* ---- start ---- */

static bool domains_changed(void *arg, struct buf *name)
{
    (void)arg;
    return match_list_changed(domains, name);
}

static bool pre_start(struct service_run *run, struct err *err)
{
    const struct params *p = run->params;
    bool parents = slice_find_slice(slice_text(p->parent_domain_matches_subdomains), S("fast_flush_domains")) != SLICE_NONE;

    layout = (struct queue_layout){slice_text(p->hash_queue_names), p->hash_queue_depth};
    domains = match_list_open(slice_text(p->fast_flush_domains), MATCH_DOMAIN, parents, err);
    return domains != NULL;
}

static bool start(struct service_run *run, struct err *err)
{
    (void)run;
    (void)err;
    service_watch(domains_changed, NULL);
    return true;
}

int main(int argc, char **argv)
{
    static const struct service flush = {
        .name = "flush",
        .instances = SERVICE_UNLIMITED,
        .needs = {.may = SANDBOX_SERVICES, .updates = "public", .writes = "flush incoming deferred"},
        .pre_start = pre_start,
        .start = start,
        .client = client,
    };

    return service_main(&flush, argc, argv);
}
