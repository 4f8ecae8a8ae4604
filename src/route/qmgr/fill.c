#include "route/qmgr/fill.h"

#include "core/base/bug.h"
#include "core/run/pool.h"
#include "mail/queue/dir.h"
#include "route/qmgr/state.h"

enum { RUN_MOST = 64 /* messages read in a row */ };
#define GATHER_US MILLIS(200) /* so that what is deferred one by one is not read one by one */

struct filling {
    char id[QUEUE_ID_MOST + 1], path[QUEUE_PATH_MOST];
    struct shown shown;
    enum shown_got got;
};

struct run {
    struct filling items[RUN_MOST];
    size_t count;
};

void fill_kick(void)
{
    waitq_wake_all(&qmgr.fill);
}

static void choose(struct run *run)
{
    struct index_entry *e;

    run->count = 0;
    while (run->count < RUN_MOST && (e = index_take_wanted(&qmgr.index)) != NULL) {
        struct filling *f = &run->items[run->count];
        slice queue = e->queue == INDEX_HOLD ? S(QUEUE_HOLD) : S(QUEUE_DEFERRED), id = index_id(e);

        if (!queue_path(&qmgr.layout, queue, id, f->path)) {
            index_learn(&qmgr.index, e, NULL);
            continue;
        }
        memcpy(f->id, id.p, id.n);
        f->id[id.n] = '\0';
        run->count++;
    }
}

/* Runs on a helper thread. */
static void read_all(void *arg)
{
    struct run *run = arg;
    struct err unused;

    for (size_t i = 0; i < run->count; i++) {
        struct filling *f = &run->items[i];

        f->got = shown_read(&f->shown, &qmgr.layout, slice_text(f->id), f->path, &unused);
    }
}

/* It may have been moved, changed, or replaced while it was read. */
static void keep(const struct filling *f)
{
    const struct stat *st = &f->shown.st;
    const struct index_file file = {st->st_ino, st->st_size, (int64_t)st->st_mtim.tv_sec * SECONDS(1), false};
    struct index_entry *e = index_find(&qmgr.index, slice_text(f->id));

    if (e == NULL || e->state != INDEX_READING)
        return;
    index_learn(&qmgr.index, e, f->got == SHOWN_READ && index_is_file(e, &file) ? &f->shown : NULL);
}

/* Until nothing is wanted.  False: cancelled. */
static bool fill_all(struct run *run)
{
    bool alive = true;
    struct err err;

    for (size_t i = 0; i < RUN_MOST; i++)
        shown_init(&run->items[i].shown, DETAILS_MOST_RECIPIENTS);
    while (alive && (choose(run), run->count > 0)) {
        pool_run(read_all, run);
        for (size_t i = 0; i < run->count; i++)
            keep(&run->items[i]);
        alive = task_yield(&err);
    }
    for (size_t i = 0; i < RUN_MOST; i++)
        shown_done(&run->items[i].shown);
    return alive;
}

void fill_run(void *unused)
{
    struct err err;
    bool alive = true;

    (void)unused;
    while (alive) {
        while (list_empty(&qmgr.index.wanted))
            if (!waitq_wait(&qmgr.fill, NEVER, &err))
                return;
        if (qmgr.scanning_deferred) { /* what is due comes first */
            alive = task_sleep(deadline_in(GATHER_US), &err);
            continue;
        }
        if (!task_sleep(deadline_in(GATHER_US), &err))
            return;
        struct run *run = xmalloc(sizeof *run);
        alive = fill_all(run);
        free(run);
    }
}
