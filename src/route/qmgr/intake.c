#include "route/qmgr/intake.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/file.h"
#include "mail/events/events.h"
#include "mail/proto/status.h"
#include "mail/queue/dir.h"
#include "mail/service/service.h"
#include "route/qmgr/deferred.h"
#include "route/qmgr/finish.h"
#include "route/qmgr/move.h"
#include "route/qmgr/read.h"
#include "route/qmgr/route.h"

enum {
    TURNS_BEFORE_YIELD = 8, /* messages taken in a row */
    LONGEST_NAP_S = 60,     /* the wall clock may be set meanwhile */
    SCAN_WARNING_S = 60,    /* while it fails again and again */
    SCAN_AGAIN_S = 2,       /* what a scan that failed has not seen waits for the next one */
};

/* ---- one message ---- */

/* The reasons of earlier attempts no longer hold. */
static bool drop_defer_log(const struct message *m)
{
    char path[QUEUE_PATH_MOST];

    if (!message_path(m, DEFER_SERVICE, path))
        return false;
    if (m->expire && m->was_deferred)
        return access(path, F_OK) == 0; /* they say why it is returned */
    if (unlink(path) != 0 && errno != ENOENT)
        event_warning("remove %s: %s", path, strerror(errno));
    return false;
}

static void route_message(void *arg)
{
    struct message *m = arg;

    m->reading = true;
    route_batch(&m->first);
    m->reading = false;
    qmgr.routing--;
    qmgr_kick_intake();
    finish_routed(&m->first);
}

static void start_routing(struct message *m)
{
    if (drop_defer_log(m)) {
        m->deferred = true;
        m->cursor.next_offset = 0;
        batch_forget(&m->first, 0);
    }
    qmgr.routing++;
    qmgr_spawn("route", route_message, m);
}

/* It is tried again after minimal_backoff_time. */
static void put_off(slice id, bool from_deferred, const struct stat *st)
{
    int64_t at_us = clock_wall_us() + qmgr.params->minimal_backoff_time_us;

    if (from_deferred)
        deferred_put_off(id, st, at_us);
    else if (at_us < qmgr.incoming_again_us)
        qmgr.incoming_again_us = at_us;
}

/* Takes QUEUE's ID, whose file is at PATH and complete. */
static void take(slice queue, slice id, const char *path, const struct stat *st)
{
    bool from_deferred = slice_eq(queue, S(QUEUE_DEFERRED));
    mode_t mode = st->st_mode;
    struct message *m;
    struct err err;

    if (id.n > QUEUE_ID_MOST)
        return;
    if (map_get(&qmgr.active, id) != NULL) { /* somebody has moved it here while it is being delivered */
        put_off(id, from_deferred, st);
        return;
    }
    if (!queue_move(&qmgr.layout, queue, S(QUEUE_ACTIVE), id, &err)) {
        if (err.sys == ENOENT)
            return;
        event_warning("%s: %s", path, err.text);
        put_off(id, from_deferred, st);
        return;
    }
    m = message_new(id);
    m->was_deferred = from_deferred;
    m->expire = (mode & QUEUE_MODE_EXPIRE) != 0;
    m->press = (mode & QUEUE_MODE_UNTHROTTLE) != 0 || (from_deferred && qmgr.flushing);
    if (!read_message(m, mode)) {
        message_free(m);
        return;
    }
    map_set(&qmgr.active, id, m);
    m->is_probe = (m->envelope.trace_flags & DELIVERY_MTA_PROBE) != 0;
    qmgr.probes += m->is_probe;
    qmgr.taken += !from_deferred;
    start_routing(m);
}

/* ---- incoming ---- */

/* Moving a file and setting its time stamps both count: what was put back since must wait. */
static bool was_there_at_flush(const struct stat *st)
{
    return (int64_t)st->st_ctim.tv_sec * SECONDS(1) + st->st_ctim.tv_nsec / 1000 <= qmgr.incoming_flushed_us;
}

/* cleanup may take as many messages more. */
static void put_tokens_back(void)
{
    flow_put(qmgr.taken);
    qmgr.taken = 0;
}

/* An idle queue manager lets default_process_limit submissions pass without waiting. */
static void level_flow(void)
{
    unsigned want = (unsigned)qmgr.params->default_process_limit, have;

    put_tokens_back();
    have = flow_count();
    if (have < want)
        flow_put(want - have);
    else if (have > want)
        flow_take(have - want);
}

static void scan_failed(const struct err *err)
{
    int64_t at_us = clock_wall_us() + SECONDS(SCAN_AGAIN_S);

    if (deadline_passed(qmgr.next_scan_warning)) {
        event_warning("%s", err->text);
        qmgr.next_scan_warning = deadline_in(SECONDS(SCAN_WARNING_S));
    }
    if (at_us < qmgr.incoming_again_us)
        qmgr.incoming_again_us = at_us;
}

static bool scan_is_due(void)
{
    return (qmgr.scan_incoming && deadline_passed(qmgr.next_scan)) || qmgr.incoming_again_us <= clock_wall_us();
}

/* One step of the scan: true when a file was taken or may have been. */
static bool take_incoming(struct queue_scan **scan)
{
    enum queue_scan_got got = SCAN_END;
    const char *path;
    struct err err;
    slice id;

    if (*scan == NULL) {
        if (!scan_is_due())
            return false;
        qmgr.scan_incoming = false;
        qmgr.next_scan = deadline_in(INTAKE_PAUSE_US);
        qmgr.incoming_again_us = INT64_MAX;
        *scan = queue_scan_open(S(QUEUE_INCOMING), &err);
        if (*scan == NULL) {
            scan_failed(&err);
            return false;
        }
    }
    while ((got = queue_scan_next(*scan, &id, &path, &err)) == SCAN_ID) {
        struct stat st;
        int64_t at_us;

        if (queue_file_check(path, &st) != QUEUE_FILE_READY)
            continue;
        at_us = deferred_until(&st);
        if (deferred_is_over(at_us) || was_there_at_flush(&st)) {
            take(S(QUEUE_INCOMING), id, path, &st);
            return true;
        }
        if (at_us < qmgr.incoming_again_us)
            qmgr.incoming_again_us = at_us;
    }
    if (got == SCAN_FAILED)
        scan_failed(&err);
    queue_scan_close(*scan);
    *scan = NULL;
    if (!qmgr.scan_incoming)
        level_flow();
    return qmgr.scan_incoming;
}

/* ---- the task that takes ---- */

static bool take_deferred(void)
{
    struct deferred d;
    enum deferred_got got = deferred_next(&d);

    if (got == DEFERRED_DUE)
        take(S(QUEUE_DEFERRED), slice_text(d.id), d.path, &d.st);
    return got != DEFERRED_NONE;
}

static deadline next_work(void)
{
    const struct index_entry *e = index_first_due(&qmgr.index);
    int64_t now_us = clock_wall_us(), at_us = now_us + SECONDS(LONGEST_NAP_S);

    if (qmgr.incoming_again_us < at_us)
        at_us = qmgr.incoming_again_us;
    if (qmgr.stranded_again_us < at_us)
        at_us = qmgr.stranded_again_us;
    if (e != NULL && e->due.key < at_us)
        at_us = e->due.key;
    return deadline_sooner(deadline_in(at_us > now_us ? at_us - now_us : 0), qmgr.scan_incoming ? qmgr.next_scan : NEVER);
}

void intake_run(void *unused)
{
    struct queue_scan *scan = NULL;
    unsigned turns = 0;
    struct err err;

    (void)unused;
    while (!task_is_cancelled()) {
        bool from_incoming, from_deferred;

        if (!qmgr_has_room()) {
            put_tokens_back();
            if (!waitq_wait(&qmgr.intake, NEVER, &err))
                break;
            continue;
        }
        if (qmgr.stranded_again_us <= clock_wall_us())
            move_stranded_back();
        from_incoming = take_incoming(&scan);
        from_deferred = qmgr_has_room() && take_deferred();
        if (from_incoming || from_deferred) {
            if (++turns % TURNS_BEFORE_YIELD != 0)
                continue;
            put_tokens_back();
            if (!task_yield(&err))
                break;
            continue;
        }
        put_tokens_back();
        if (!qmgr.scanning_deferred && !qmgr.scan_deferred && qmgr_has_room())
            qmgr.flushing = false;
        if (qmgr_has_room() && !scan_is_due() && !waitq_wait(&qmgr.intake, next_work(), &err) &&
            err.kind != ERR_TIMEOUT)
            break;
    }
    queue_scan_close(scan);
}
