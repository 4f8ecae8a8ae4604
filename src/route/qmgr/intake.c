#include "route/qmgr/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/file.h"
#include "mail/events/events.h"
#include "mail/queue/dir.h"
#include "mail/service/service.h"
#include "route/qmgr/finish.h"
#include "route/qmgr/route.h"

enum {
    TURNS_BEFORE_YIELD = 8,  /* messages taken in a row */
    SCAN_SLICE = 200,        /* names of deferred/ looked at in a row */
    LONGEST_NAP_S = 60,      /* the wall clock may be set meanwhile */
};

/* ---- start ---- */

static bool set_times(const char *path, int64_t wall_us)
{
    const struct timespec times[2] = {{.tv_sec = wall_us / SECONDS(1)}, {.tv_sec = wall_us / SECONDS(1)}};

    return utimensat(AT_FDCWD, path, times, 0) == 0;
}

bool intake_recover(struct err *err)
{
    struct queue_scan *scan = queue_scan_open(S(QUEUE_ACTIVE), err);
    enum queue_scan_got got;
    const char *path;
    slice id;

    if (scan == NULL)
        return false;
    while ((got = queue_scan_next(scan, &id, &path, err)) == SCAN_ID) {
        struct err moving;

        if (!set_times(path, clock_wall_us()) && errno != ENOENT)
            event_warning("%s: update time stamps: %s", path, strerror(errno));
        if (!queue_move(&qmgr.layout, S(QUEUE_ACTIVE), S(QUEUE_INCOMING), id, &moving) && moving.sys != ENOENT)
            event_warning("%s", moving.text);
    }
    queue_scan_close(scan);
    return got == SCAN_END;
}

/* ---- reading ---- */

static bool collect(void *context, const struct recipient *r, bool done)
{
    struct batch *b = context;

    if (done)
        return true;
    if (b->count == b->cap) {
        b->cap = b->cap == 0 ? 1 : b->cap < 16 ? 16 : b->cap * 2;
        b->recipients = xrealloc_array(b->recipients, b->cap, sizeof *b->recipients);
    }
    b->recipients[b->count++] = *r;
    return true;
}

static void count_in(struct batch *b)
{
    b->message->in_memory += b->count;
    qmgr.recipients += b->count;
}

static size_t batch_most(void)
{
    size_t limit = (size_t)qmgr.params->qmgr_message_recipient_limit, least,
           free_slots = limit > qmgr.recipients ? limit - qmgr.recipients : 0;

    least = (size_t)qmgr.params->qmgr_message_recipient_minimum;
    if (free_slots > BATCH_MOST_RECIPIENTS)
        free_slots = BATCH_MOST_RECIPIENTS;
    return free_slots < least ? least : free_slots;
}

void intake_read_more(struct message *m)
{
    struct batch *b = xcalloc(1, sizeof *b);
    char path[QUEUE_PATH_MOST];
    struct err err;
    bool read = false;

    b->message = m;
    arena_init(&b->arena, MESSAGE_MOST_BYTES);
    if (queue_path(&qmgr.layout, S(QUEUE_ACTIVE), message_id(m), path)) {
        AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);

        read = fd < 0 ? err_sys(&err, "open %s", path)
                      : envelope_read_more(fd, path, &b->arena, batch_most(), collect, b, &m->cursor, &err);
    }
    count_in(b);
    if (!read) {
        /* What is known is finished; the rest has another chance when the file is read from its start. */
        event_warning("%s: reading more recipients: %s", m->id, err.text);
        m->cursor.next_offset = 0;
        m->deferred = true;
    } else {
        route_batch(b);
    }
    if (b->entries == 0)
        batch_done(b);
}

/* ---- one message ---- */

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

static void save_corrupt(slice id)
{
    struct err err;

    event_warning("saving corrupt file \"%.*s\" from queue \"%s\" to queue \"%s\"", S_ARG(id), QUEUE_ACTIVE, QUEUE_CORRUPT);
    if (!queue_move(&qmgr.layout, S(QUEUE_ACTIVE), S(QUEUE_CORRUPT), id, &err))
        event_warning("%s", err.text);
}

/* The file cannot be used now, through no fault of its own. */
static void put_back(slice id, const char *path, int64_t pause_s)
{
    struct err err;
    int64_t at_us = clock_wall_us() + SECONDS(pause_s);

    (void)set_times(path, at_us);
    if (!queue_move(&qmgr.layout, S(QUEUE_ACTIVE), S(QUEUE_INCOMING), id, &err) && err.sys != ENOENT)
        event_warning("%s", err.text);
    if (at_us < qmgr.incoming_again_us)
        qmgr.incoming_again_us = at_us;
}

static void reject(struct message *m, const char *path, const struct err *err)
{
    if (err->kind != ERR_CORRUPT) {
        event_warning("%s: %s", m->id, err->text);
        put_back(message_id(m), path, STILL_DELIVERED_PAUSE_SECONDS);
        return;
    }
    /* Damage to the records themselves is told in terms of the file. */
    if (slice_starts(slice_text(err->text), slice_text(path))) {
        event_warning("%s", err->text);
        event_warning("%s: message rejected: missing end record", m->id);
    } else {
        event_warning("%s: message rejected: %s", m->id, err->text);
    }
    save_corrupt(message_id(m));
}

/* Opened, locked and read.  False: the file has been dealt with. */
static bool load(struct message *m, const char *path, mode_t mode)
{
    struct err err;
    AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        if (errno != ENOENT)
            event_warning("open %s: %s", path, strerror(errno));
        return false;
    }
    if (!queue_lock(fd, true, &err)) {
        event_info("%s: skipped, still being delivered", m->id);
        put_back(message_id(m), path, STILL_DELIVERED_PAUSE_SECONDS);
        return false;
    }
    if ((mode & QUEUE_MODE_UNTHROTTLE) != 0 && fchmod(fd, mode & 07777 & ~(mode_t)QUEUE_MODE_UNTHROTTLE) != 0)
        event_warning("%s: change mode: %s", path, strerror(errno));
    m->active_us = clock_wall_us();
    if (!envelope_read(fd, path, &m->first.arena, batch_most(), collect, &m->first, &m->envelope, &m->cursor, &err)) {
        m->first.count = 0; /* not counted yet */
        reject(m, path, &err);
        return false;
    }
    count_in(&m->first);
    event_queued(&(struct event_queued){message_id(m), m->envelope.sender, m->envelope.size.content_bytes,
                                        (int)m->envelope.size.recipients});
    return true;
}

/* The reasons of earlier attempts no longer hold. */
static bool drop_defer_log(const struct message *m)
{
    char path[QUEUE_PATH_MOST];

    if (!queue_path(&qmgr.layout, S("defer"), message_id(m), path))
        return false;
    if (m->expire && m->was_deferred)
        return access(path, F_OK) == 0; /* they say why it is returned */
    if (unlink(path) != 0 && errno != ENOENT)
        event_warning("remove %s: %s", path, strerror(errno));
    return false;
}

static struct message *message_new(slice id)
{
    struct message *m = xcalloc(1, sizeof *m);

    memcpy(m->id, id.p, id.n);
    scheduled_init(&m->scheduled);
    m->first.message = m;
    arena_init(&m->first.arena, MESSAGE_MOST_BYTES);
    return m;
}

static void start_routing(struct message *m)
{
    if (drop_defer_log(m)) {
        m->deferred = true;
        m->cursor.next_offset = 0;
        qmgr.recipients -= m->first.count;
        m->in_memory -= m->first.count;
        m->first.count = 0;
    }
    qmgr.routing++;
    qmgr_spawn("route", route_message, m);
}

/* Takes QUEUE's ID, whose file is at PATH and complete. */
static void take(slice queue, slice id, const char *path, mode_t mode)
{
    bool from_deferred = slice_eq(queue, S(QUEUE_DEFERRED));
    char active[QUEUE_PATH_MOST];
    struct message *m;
    struct err err;

    if (id.n > QUEUE_ID_MOST || map_get(&qmgr.active, id) != NULL || !queue_path(&qmgr.layout, S(QUEUE_ACTIVE), id, active))
        return;
    if (!queue_move(&qmgr.layout, queue, S(QUEUE_ACTIVE), id, &err)) {
        if (err.sys != ENOENT)
            event_warning("%s: %s", path, err.text);
        return;
    }
    m = message_new(id);
    m->was_deferred = from_deferred;
    m->expire = (mode & QUEUE_MODE_EXPIRE) != 0;
    m->press = (mode & QUEUE_MODE_UNTHROTTLE) != 0 || (from_deferred && qmgr.flushing);
    if (!load(m, active, mode)) {
        message_free(m);
        return;
    }
    map_set(&qmgr.active, id, m);
    if (!from_deferred)
        flow_put(1);
    start_routing(m);
}

/* ---- incoming ---- */

static bool is_due(const struct stat *st, int64_t *at_us)
{
    *at_us = (int64_t)st->st_mtim.tv_sec * SECONDS(1);
    return *at_us <= clock_wall_us() + SECONDS(1);
}

/* An idle queue manager lets default_process_limit submissions pass without waiting. */
static void level_flow(void)
{
    unsigned want = (unsigned)qmgr.params->default_process_limit, have = flow_count();

    if (have < want)
        flow_put(want - have);
    else if (have > want)
        (void)flow_take(have - want);
}

/* One step of the scan: true when a file was taken or may have been. */
static bool take_incoming(struct queue_scan **scan)
{
    enum queue_scan_got got = SCAN_END;
    const char *path;
    struct err err;
    slice id;

    if (*scan == NULL) {
        if (!qmgr.scan_incoming && qmgr.incoming_again_us > clock_wall_us())
            return false;
        qmgr.scan_incoming = false;
        qmgr.incoming_again_us = INT64_MAX;
        *scan = queue_scan_open(S(QUEUE_INCOMING), &err);
        if (*scan == NULL) {
            event_warning("%s", err.text);
            return false;
        }
    }
    while ((got = queue_scan_next(*scan, &id, &path, &err)) == SCAN_ID) {
        struct stat st;
        int64_t at_us;

        if (queue_file_check(path, &st) != QUEUE_FILE_READY)
            continue;
        if (is_due(&st, &at_us)) {
            take(S(QUEUE_INCOMING), id, path, st.st_mode);
            return true;
        }
        if (at_us < qmgr.incoming_again_us)
            qmgr.incoming_again_us = at_us;
    }
    if (got == SCAN_FAILED)
        event_warning("%s", err.text);
    queue_scan_close(*scan);
    *scan = NULL;
    if (!qmgr.scan_incoming)
        level_flow();
    return qmgr.scan_incoming;
}

/* ---- deferred ---- */

static bool take_due(void)
{
    struct due_entry *e = due_first(&qmgr.due);
    char path[QUEUE_PATH_MOST], id[256];
    bool pressed;
    struct stat st;
    int64_t at_us;
    slice name;

    if (e == NULL || e->node.key > clock_wall_us())
        return false;
    name = slice_of(id, e->id_bytes);
    memcpy(id, e->id, e->id_bytes);
    pressed = e->node.key == 0;
    if (!queue_path(&qmgr.layout, S(QUEUE_DEFERRED), name, path) || queue_file_check(path, &st) != QUEUE_FILE_READY) {
        due_remove(&qmgr.due, name);
        return true;
    }
    if (!is_due(&st, &at_us) && !pressed) {
        due_put(&qmgr.due, name, at_us, st.st_ino, st.st_size);
        return true;
    }
    due_remove(&qmgr.due, name);
    take(S(QUEUE_DEFERRED), name, path, st.st_mode);
    return true;
}

/* ---- the task that takes ---- */

static deadline next_work(void)
{
    const struct due_entry *e = due_first(&qmgr.due);
    int64_t now_us = clock_wall_us(), at_us = now_us + SECONDS(LONGEST_NAP_S);

    if (qmgr.incoming_again_us < at_us)
        at_us = qmgr.incoming_again_us;
    if (e != NULL && e->node.key < at_us)
        at_us = e->node.key;
    return deadline_in(at_us > now_us ? at_us - now_us : 0);
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
            if (!waitq_wait(&qmgr.intake, NEVER, &err))
                break;
            continue;
        }
        from_incoming = take_incoming(&scan);
        from_deferred = qmgr_has_room() && take_due();
        if (from_incoming || from_deferred) {
            if (++turns % TURNS_BEFORE_YIELD == 0 && !task_yield(&err))
                break;
            continue;
        }
        if (!qmgr.scanning_deferred && !qmgr.scan_deferred && qmgr_has_room())
            qmgr.flushing = false;
        if (qmgr_has_room() && !qmgr.scan_incoming && !waitq_wait(&qmgr.intake, next_work(), &err) &&
            err.kind != ERR_TIMEOUT)
            break;
    }
    queue_scan_close(scan);
}

/* ---- the task that looks what others did to deferred/ ---- */

/* FULL looks at time stamps too; ALL makes everything due. */
static void look_at(slice id, const char *path, bool full, bool all)
{
    struct stat st;
    int64_t at_us;

    if ((due_seen(&qmgr.due, id) && !full) || id.n > QUEUE_ID_MOST || queue_file_check(path, &st) != QUEUE_FILE_READY)
        return;
    (void)is_due(&st, &at_us);
    due_put(&qmgr.due, id, all ? 0 : at_us, st.st_ino, st.st_size);
}

static bool rescan(bool full, bool all)
{
    struct err err;
    struct queue_scan *scan = queue_scan_open(S(QUEUE_DEFERRED), &err);
    enum queue_scan_got got;
    const char *path;
    unsigned count = 0;
    bool alive = true;
    slice id;

    if (scan == NULL) {
        event_warning("%s", err.text);
        return true;
    }
    due_scan_begin(&qmgr.due);
    while ((got = queue_scan_next(scan, &id, &path, &err)) == SCAN_ID) {
        look_at(id, path, full, all);
        if (++count % SCAN_SLICE != 0)
            continue;
        qmgr_kick_intake();
        alive = task_yield(&err);
        if (!alive)
            break;
    }
    queue_scan_close(scan);
    if (got == SCAN_FAILED)
        event_warning("%s", err.text);
    if (got == SCAN_END)
        due_scan_end(&qmgr.due);
    qmgr_kick_intake();
    return alive;
}

void intake_rescan(void *unused)
{
    bool full = true;
    struct err err;

    (void)unused;
    for (;;) {
        bool all = qmgr.scan_all;

        qmgr.scan_deferred = qmgr.scan_all = false;
        qmgr.scanning_deferred = true;
        if (!rescan(full || all, all))
            return;
        qmgr.scanning_deferred = false;
        qmgr_kick_intake();
        if (!qmgr.scan_deferred && !waitq_wait(&qmgr.rescan, deadline_in(qmgr.params->queue_run_delay_us), &err) &&
            err.kind != ERR_TIMEOUT)
            return;
        full = qmgr.scan_deferred;
    }
}
