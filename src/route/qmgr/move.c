#include "route/qmgr/move.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/file.h"
#include "mail/events/events.h"
#include "mail/queue/dir.h"
#include "route/qmgr/backoff.h"
#include "route/qmgr/deferred.h"
#include "route/qmgr/state.h"

enum { BACKOFF_JITTER_PERCENT = 10 };

static bool set_times(const char *path, int64_t wall_us)
{
    const struct timespec times[2] = {{.tv_sec = wall_us / SECONDS(1)}, {.tv_sec = wall_us / SECONDS(1)}};

    if (utimensat(AT_FDCWD, path, times, 0) == 0)
        return true;
    if (errno != ENOENT)
        event_warning("%s: update time stamps: %s", path, strerror(errno));
    return false;
}

enum moved { MOVED, GONE, FAILED };

static enum moved move(slice id, slice to)
{
    struct err err;

    if (queue_move(&qmgr.layout, S(QUEUE_ACTIVE), to, id, &err))
        return MOVED;
    if (err.sys == ENOENT)
        return GONE;
    event_warning("%s", err.text);
    return FAILED;
}

/* ---- what the file system does not let go, on a full disk or one that has become read-only ---- */

struct stranded {
    struct list same; /* qmgr.stranded */
    slice to;         /* a literal */
    char id[QUEUE_ID_MOST + 1];
};

static void try_stranded_later(void)
{
    if (qmgr.stranded_again_us == INT64_MAX)
        qmgr.stranded_again_us = clock_wall_us() + qmgr.params->minimal_backoff_time_us;
}

static void strand(slice id, slice to)
{
    struct stranded *s = xcalloc(1, sizeof *s);

    s->to = to;
    memcpy(s->id, id.p, id.n);
    list_push_back(&qmgr.stranded, &s->same);
    try_stranded_later();
}

/* False: it stays where it is.  Somebody may have moved it meanwhile, so that it has been taken anew. */
static bool move_stranded(const struct stranded *s)
{
    slice id = slice_text(s->id);

    if (map_get(&qmgr.active, id) == NULL && move(id, s->to) == FAILED)
        return false;
    qmgr.scan_incoming = true;
    return true;
}

void move_stranded_back(void)
{
    qmgr.stranded_again_us = INT64_MAX;
    LIST_EACH(each, &qmgr.stranded) {
        struct stranded *s = LIST_ENTRY(each, struct stranded, same);

        if (!move_stranded(s)) {
            try_stranded_later();
            continue;
        }
        list_remove(each);
        free(s);
    }
}

/* ---- moves ---- */

static void back_until(slice id, int64_t at_us)
{
    enum moved moved = move(id, S(QUEUE_INCOMING));

    if (moved == FAILED)
        strand(id, S(QUEUE_INCOMING));
    else if (moved == MOVED && at_us < qmgr.incoming_again_us)
        qmgr.incoming_again_us = at_us;
}

bool move_all_back(struct err *err)
{
    struct queue_scan *scan = queue_scan_open(S(QUEUE_ACTIVE), err);
    enum queue_scan_got got;
    const char *path;
    slice id;

    if (scan == NULL)
        return false;
    while ((got = queue_scan_next(scan, &id, &path, err)) == SCAN_ID) {
        (void)set_times(path, clock_wall_us());
        if (move(id, S(QUEUE_INCOMING)) == FAILED)
            strand(id, S(QUEUE_INCOMING));
    }
    queue_scan_close(scan);
    return got == SCAN_END;
}

void move_to_corrupt(const struct message *m)
{
    event_warning("saving corrupt file \"%s\" from queue \"%s\" to queue \"%s\"", m->id, QUEUE_ACTIVE, QUEUE_CORRUPT);
    if (move(message_id(m), S(QUEUE_CORRUPT)) == FAILED)
        strand(message_id(m), S(QUEUE_CORRUPT));
}

/* Somebody else's file, which cannot be told to wait either: it would come back at once, again and again. */
static bool is_foreign(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0 || st.st_uid == geteuid())
        return false;
    event_warning("%s: belongs to user %lu", path, (unsigned long)st.st_uid);
    return true;
}

void move_back(const struct message *m, int64_t pause_s)
{
    int64_t at_us = clock_wall_us() + SECONDS(pause_s);
    char path[QUEUE_PATH_MOST];

    if (!message_path(m, QUEUE_ACTIVE, path))
        return;
    if (is_foreign(path)) {
        move_to_corrupt(m);
        return;
    }
    (void)set_times(path, at_us);
    back_until(message_id(m), at_us);
}

static int64_t next_attempt(const struct message *m, int64_t now_us)
{
    const struct backoff rules = {qmgr.params->minimal_backoff_time_us, qmgr.params->maximal_backoff_time_us,
                                  BACKOFF_JITTER_PERCENT};

    return now_us + backoff_delay(&rules, now_us - m->envelope.create_time * SECONDS(1), qmgr_random());
}

void move_to_deferred(const struct message *m)
{
    int64_t at_us = next_attempt(m, clock_wall_us()) / SECONDS(1) * SECONDS(1);
    char path[QUEUE_PATH_MOST];
    struct stat st;

    if (!message_path(m, QUEUE_ACTIVE, path))
        return;
    if (lstat(path, &st) != 0) {
        if (errno != ENOENT)
            event_warning("%s: %s", path, strerror(errno));
        return;
    }
    if ((st.st_mode & S_IRWXU) == QUEUE_MODE_CORRUPT) {
        move_to_corrupt(m);
        return;
    }
    (void)set_times(path, at_us);
    switch (move(message_id(m), S(QUEUE_DEFERRED))) {
    case MOVED:
        deferred_put(message_id(m), &st, at_us);
        break;
    case FAILED:
        back_until(message_id(m), at_us); /* no folder can be made when there are no inodes left */
        break;
    case GONE:
        break;
    }
}
