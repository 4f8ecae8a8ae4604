#include "route/qmgr/deferred.h"

#include <unistd.h>

#include "mail/events/events.h"
#include "mail/queue/dir.h"
#include "route/qmgr/fill.h"
#include "route/qmgr/keep.h"
#include "route/qmgr/watch.h"

enum { INCOMING = INDEX_QUEUES /* watched beside them */ };
enum {
    SCAN_SLICE = 200,   /* names looked at in a row */
    SWEEP_SLICE = 2000, /* in memory */
    COPYING_MOST_S = 60,
};

static const slice queue_names[INDEX_QUEUES] = {
    [INDEX_DEFERRED] = S_INIT(QUEUE_DEFERRED), [INDEX_HOLD] = S_INIT(QUEUE_HOLD)};

int64_t deferred_until(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * SECONDS(1);
}

bool deferred_is_over(int64_t until_us)
{
    return until_us <= clock_wall_us() + SECONDS(1);
}

static void put(enum index_queue queue, slice id, const struct stat *st, int64_t changed_us, int64_t due_us)
{
    const struct index_file file = {st->st_ino, st->st_size, changed_us, (st->st_mode & QUEUE_MODE_EXPIRE) != 0};
    struct index_entry *e = index_find(&qmgr.index, id);
    /* What was flushed and is as it was is not put off by news that come late. */
    bool stays_due = e != NULL && e->queue == INDEX_DEFERRED && queue == INDEX_DEFERRED && e->due.key == 0 &&
                     index_is_file(e, &file);
    bool pressed = stays_due && e->pressed;

    e = index_put(&qmgr.index, queue, id, &file, stays_due ? 0 : due_us);
    e->pressed = pressed;
    e->has_more_names = st->st_nlink > 1;
    fill_kick();
}

void deferred_put(slice id, const struct stat *st, int64_t until_us)
{
    put(INDEX_DEFERRED, id, st, until_us, until_us);
}

void deferred_put_off(slice id, const struct stat *st, int64_t at_us)
{
    put(INDEX_DEFERRED, id, st, deferred_until(st), at_us);
}

void deferred_press(struct index_entry *e)
{
    if (e->queue != INDEX_DEFERRED)
        return;
    e->pressed = true;
    heap_put(&qmgr.index.due, &e->due, 0);
    qmgr_kick_intake();
}

/* ---- what is due ---- */

enum deferred_got deferred_next(struct deferred *out)
{
    const struct index_entry *e = index_first_due(&qmgr.index);
    bool at_once, pressed;
    slice id;

    if (e == NULL || e->due.key > clock_wall_us())
        return DEFERRED_NONE;
    at_once = e->due.key == 0;
    pressed = e->pressed;
    memcpy(out->id, e->id, e->id_bytes);
    out->id[e->id_bytes] = 0;
    id = slice_text(out->id);
    if (!queue_path(&qmgr.layout, S(QUEUE_DEFERRED), id, out->path) ||
        queue_file_check(out->path, &out->st) != QUEUE_FILE_READY) {
        index_remove(&qmgr.index, id);
        return DEFERRED_NOT_NOW;
    }
    if (!at_once && !deferred_is_over(deferred_until(&out->st))) {
        deferred_put(id, &out->st, deferred_until(&out->st));
        return DEFERRED_NOT_NOW;
    }
    if (pressed)
        out->st.st_mode |= QUEUE_MODE_UNTHROTTLE;
    index_remove(&qmgr.index, id);
    return DEFERRED_DUE;
}

/* ---- what others did ---- */

bool deferred_is_being_put(const struct stat *st)
{
    return st->st_uid != geteuid() && clock_wall_us() - (int64_t)st->st_ctim.tv_sec * SECONDS(1) < SECONDS(COPYING_MOST_S);
}

/* FULL looks at time stamps too; ALL makes everything due. */
static void look_at(enum index_queue queue, slice id, const char *path, bool full, bool all)
{
    struct stat st;

    if ((index_seen(&qmgr.index, queue, id) && !full) || id.n > QUEUE_ID_MOST ||
        queue_file_check(path, &st) != QUEUE_FILE_READY || deferred_is_being_put(&st))
        return;
    put(queue, id, &st, deferred_until(&st), all ? 0 : deferred_until(&st));
}

/* False: cancelled. */
static bool rescan_queue(enum index_queue queue, bool full, bool all, bool *complete)
{
    struct err err;
    struct queue_scan *scan = queue_scan_open(queue_names[queue], &err);
    enum queue_scan_got got = SCAN_FAILED;
    const char *path;
    unsigned count = 0;
    bool alive = true;
    slice id;

    while (alive && scan != NULL && (got = queue_scan_next(scan, &id, &path, &err)) == SCAN_ID) {
        look_at(queue, id, path, full, all);
        if (++count % SCAN_SLICE != 0)
            continue;
        qmgr_kick_intake();
        alive = task_yield(&err);
    }
    queue_scan_close(scan);
    if (got == SCAN_FAILED)
        event_warning("%s", err.text);
    *complete = *complete && got == SCAN_END;
    qmgr_kick_intake();
    return alive;
}

/* Drops what the scan has not met. */
static bool sweep(enum index_queue queue)
{
    struct index_cursor cursor;
    struct index_entry *e;
    unsigned count = 0;
    bool alive = true;
    struct err err;

    index_cursor_begin(&qmgr.index, queue, &cursor);
    while (alive && (e = index_cursor_next(&cursor)) != NULL) {
        if (!index_was_seen(&qmgr.index, e))
            index_drop(&qmgr.index, e);
        if (++count % SWEEP_SLICE == 0)
            alive = task_yield(&err);
    }
    index_cursor_end(&cursor);
    return alive;
}

/* COMPLETE: all could be read. */
static bool rescan(bool full, bool all, bool *complete)
{
    *complete = true;
    index_scan_begin(&qmgr.index);
    for (enum index_queue queue = 0; queue < INDEX_QUEUES; queue++)
        if (!rescan_queue(queue, full, all && queue == INDEX_DEFERRED, complete))
            return false;
    for (enum index_queue queue = 0; *complete && queue < INDEX_QUEUES; queue++)
        if (!sweep(queue))
            return false;
    return true;
}

/* Where is ID now?  It is looked for in QUEUE first; who moves a file to another queue is seen to take it away first. */
static void look_again(enum index_queue queue, slice id)
{
    for (size_t i = 0; i < INDEX_QUEUES && id.n <= QUEUE_ID_MOST; i++) {
        enum index_queue in = (queue + i) % INDEX_QUEUES;
        char path[QUEUE_PATH_MOST];
        struct stat st;

        if (queue_path(&qmgr.layout, queue_names[in], id, path) && queue_file_check(path, &st) == QUEUE_FILE_READY) {
            if (deferred_is_being_put(&st))
                return; /* who gives it to our user is seen to do so */
            put(in, id, &st, deferred_until(&st), deferred_until(&st));
            qmgr_kick_intake();
            return;
        }
    }
    index_remove(&qmgr.index, id);
}

/* Is NAME in FOLDER the one that the queue manager would open? */
static bool is_in_place(enum index_queue queue, slice name, const char *folder)
{
    char path[QUEUE_PATH_MOST];
    slice in = slice_text(folder);

    return name.n <= QUEUE_ID_MOST && queue_path(&qmgr.layout, queue_names[queue], name, path) &&
           strlen(path) == in.n + 1 + name.n && slice_starts(slice_text(path), in);
}

/* Does what was seen in its queue say all about the message E?  Then nobody need look: in a burst that would be in the way of who
 * makes it. */
static bool follow(struct index_entry *e, const struct watch_seen *s)
{
    const struct index_file same = {e->inode, e->bytes, e->changed_us, e->forced_expire};

    if (e->has_more_names || !is_in_place((enum index_queue)e->queue, s->name, s->folder))
        return false;
    if (s->change == WATCH_REMOVED) {
        index_drop(&qmgr.index, e);
        return true;
    }
    if (s->change != WATCH_MOVED || s->to_queue >= INDEX_QUEUES ||
        !is_in_place((enum index_queue)s->to_queue, s->name, s->to_folder))
        return false;
    (void)index_put(&qmgr.index, (enum index_queue)s->to_queue, s->name, &same, e->changed_us);
    fill_kick();
    qmgr_kick_intake();
    return true;
}

/* Who completes a file there says so to the queue manager; who moves one there need not. */
static void seen_in_incoming(slice id)
{
    char path[QUEUE_PATH_MOST];
    struct stat st;

    if (qmgr.scan_incoming || map_get(&qmgr.active, id) != NULL) /* it will be seen, or was taken */
        return;
    if (id.n > QUEUE_ID_MOST || !queue_path(&qmgr.layout, S(QUEUE_INCOMING), id, path) ||
        queue_file_check(path, &st) != QUEUE_FILE_READY)
        return;
    qmgr.scan_incoming = true;
    qmgr_kick_intake();
}

/* A file that is being written: it is told of once more when it is closed.  A second name of a file that is there is none. */
static bool is_being_written(enum index_queue queue, slice id)
{
    char path[QUEUE_PATH_MOST];
    struct stat st;

    return id.n <= QUEUE_ID_MOST && queue_path(&qmgr.layout, queue_names[queue], id, path) && lstat(path, &st) == 0 &&
           st.st_nlink == 1;
}

/* What this queue manager moves itself is in the index, or out of it, when it is told of it. */
static bool is_news(enum watch_change change, bool known)
{
    switch (change) {
    case WATCH_CAME:
    case WATCH_CREATED:
        return !known;
    case WATCH_WENT:
    case WATCH_REMOVED:
        return known;
    default:
        return true;
    }
}

static void seen(const struct watch_seen *s)
{
    struct index_entry *e = index_find(&qmgr.index, s->name);
    bool known = e != NULL && e->queue == s->queue;

    if (s->queue == INCOMING || (s->change == WATCH_MOVED && s->to_queue == INCOMING))
        seen_in_incoming(s->name);
    if (s->queue == INCOMING || (known && follow(e, s)))
        return;
    if (s->change == WATCH_CREATED && is_being_written((enum index_queue)s->queue, s->name))
        return;
    if (is_news(s->change, known))
        look_again((enum index_queue)s->queue, s->name);
}

static void missed(void)
{
    qmgr.index_is_current = false;
    qmgr.scan_deferred = true;
    waitq_wake_all(&qmgr.rescan);
}

static bool watch_all(void)
{
    struct err err;

    qmgr.watch = watch_open(seen, missed, &err);
    if (qmgr.watch != NULL && watch_queue(qmgr.watch, QUEUE_DEFERRED, INDEX_DEFERRED, false, &err) &&
        watch_queue(qmgr.watch, QUEUE_HOLD, INDEX_HOLD, false, &err) &&
        watch_queue(qmgr.watch, QUEUE_INCOMING, INCOMING, true, &err))
        return true;
    event_warning("%s; what others do there is seen every queue_run_delay only", err.text);
    return false;
}

bool deferred_is_current(void)
{
    struct err err;

    while (qmgr.index_is_current && watch_catch_up(qmgr.watch))
        if (!task_yield(&err))
            return false;
    return qmgr.index_is_current && watch_is_whole(qmgr.watch);
}

void deferred_run(void *unused)
{
    bool full = true, complete, watched = watch_all();
    struct err err;

    (void)unused;
    keep_load();
    for (;;) {
        bool all = qmgr.scan_all;

        qmgr.scan_deferred = qmgr.scan_all = false;
        qmgr.scanning_deferred = true;
        if (!rescan(full || all, all, &complete))
            return;
        qmgr.scanning_deferred = false;
        qmgr.index_is_current = watched && complete && !qmgr.scan_deferred;
        qmgr_kick_intake();
        if (!qmgr.scan_deferred && !waitq_wait(&qmgr.rescan, deadline_in(qmgr.params->queue_run_delay_us), &err) &&
            err.kind != ERR_TIMEOUT)
            return;
        full = qmgr.scan_deferred || !watched || !complete || !watch_is_whole(qmgr.watch);
    }
}
