#include "route/qmgr/deferred.h"

#include "mail/events/events.h"
#include "mail/queue/dir.h"
#include "route/qmgr/watch.h"

enum { SCAN_SLICE = 200 /* names looked at in a row */ };

int64_t deferred_until(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * SECONDS(1);
}

bool deferred_is_over(int64_t until_us)
{
    return until_us <= clock_wall_us() + SECONDS(1);
}

/* ---- what is due ---- */

enum deferred_got deferred_next(struct deferred *out)
{
    const struct due_entry *e = due_first(&qmgr.due);
    bool pressed;
    slice id;

    if (e == NULL || e->node.key > clock_wall_us())
        return DEFERRED_NONE;
    pressed = e->node.key == 0;
    memcpy(out->id, e->id, e->id_bytes);
    out->id[e->id_bytes] = 0;
    id = slice_text(out->id);
    if (!queue_path(&qmgr.layout, S(QUEUE_DEFERRED), id, out->path) ||
        queue_file_check(out->path, &out->st) != QUEUE_FILE_READY) {
        due_remove(&qmgr.due, id);
        return DEFERRED_NOT_NOW;
    }
    if (!pressed && !deferred_is_over(deferred_until(&out->st))) {
        due_put(&qmgr.due, id, deferred_until(&out->st), out->st.st_ino, out->st.st_size);
        return DEFERRED_NOT_NOW;
    }
    due_remove(&qmgr.due, id);
    return DEFERRED_DUE;
}

/* ---- what others did ---- */

/* FULL looks at time stamps too; ALL makes everything due. */
static void look_at(slice id, const char *path, bool full, bool all)
{
    struct stat st;

    if ((due_seen(&qmgr.due, id) && !full) || id.n > QUEUE_ID_MOST || queue_file_check(path, &st) != QUEUE_FILE_READY)
        return;
    due_put(&qmgr.due, id, all ? 0 : deferred_until(&st), st.st_ino, st.st_size);
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

static void look_again(slice id)
{
    char path[QUEUE_PATH_MOST];
    struct stat st;

    if (id.n > QUEUE_ID_MOST || !queue_path(&qmgr.layout, S(QUEUE_DEFERRED), id, path))
        return;
    if (queue_file_check(path, &st) == QUEUE_FILE_READY)
        due_put(&qmgr.due, id, deferred_until(&st), st.st_ino, st.st_size);
    else
        due_remove(&qmgr.due, id);
    qmgr_kick_intake();
}

/* What this queue manager moves itself is in the index, or out of it, when it is told of it. */
static void seen(slice id, enum watch_change change)
{
    bool known = due_find(&qmgr.due, id) != NULL;

    if (change == WATCH_CHANGED || known == (change == WATCH_WENT))
        look_again(id);
}

static void missed(void)
{
    qmgr.scan_deferred = true;
    waitq_wake_all(&qmgr.rescan);
}

void deferred_run(void *unused)
{
    static const struct watch_calls calls = {seen, missed};
    bool full = true;
    struct err err;

    (void)unused;
    if (!watch_queue(QUEUE_DEFERRED, &calls, &err))
        event_warning("%s; what others do there is seen every queue_run_delay only", err.text);
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
