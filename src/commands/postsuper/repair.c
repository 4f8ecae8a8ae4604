#include "commands/postsuper/repair.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/cut.h"
#include "core/base/fault.h"
#include "mail/events/events.h"
#include "mail/queue/edit.h"

#define ABANDONED_AFTER_US SECONDS(7 * 24 * 3600)
#define BEING_MADE_US SECONDS(60)

static const slice fix_mark = S_INIT("#FIX");

/* A file met on the walk. */
struct met {
    const struct place *place;
    const struct queue_entry *entry;
    slice id;        /* the name without the mark */
    bool marked;     /* NEW#FIX */
    struct stat st;  /* all zero: not looked at */
    int64_t time_us; /* of a message's id */
    uint64_t inode;
};

static void say(const struct repair *r, const char *what, const char *path, const char *to)
{
    if (r->verbose)
        event_info("%s %s%s%s", what, path, to == NULL ? "" : " to ", to == NULL ? "" : to);
}

/* ---- names ---- */

/* Paths that the mark is put to. */
enum { MARKED_MOST = QUEUE_PATH_MOST + 5 };

static bool marked_path(const struct repair *r, slice queue, slice id, char to[MARKED_MOST])
{
    if (!queue_path(r->layout, queue, id, to))
        return false;
    memcpy(to + strlen(to), fix_mark.p, fix_mark.n + 1);
    return true;
}

/* Puts OLD under the name NEW.  False and not FAILED: it has gone meanwhile, or NEW is taken. */
static bool put(struct repair *r, const char *old, char *new, bool *failed, struct err *err)
{
    if (queue_rename_unless_taken(old, new, err)) {
        say(r, "rename", old, new);
        return true;
    }
    *failed = err->sys != ENOENT && err->sys != EEXIST;
    if (err->sys == EEXIST && r->finishing)
        event_warning("%s", err->text);
    r->unfinished |= err->sys == EEXIST;
    return false;
}

/* Is there a message that bears ID by right, other than the file NOT? */
static bool is_rightful(const struct repair *r, slice id, const struct stat * not )
{
    char path[QUEUE_PATH_MOST];
    struct stat st;
    int64_t us;
    uint64_t inode;

    if (!queue_id_parse(id, &us, &inode))
        return false;
    for (size_t i = 0; i < PLACE_COUNT; i++)
        if (places[i].kind == PLACE_MESSAGES && queue_path(r->layout, places[i].name, id, path) &&
            lstat(path, &st) == 0 && st.st_ino == inode && st.st_ino != not ->st_ino)
            return true;
    return false;
}

/* The logs of OLD, marked or not, become NEW#FIX. */
static bool rename_logs(struct repair *r, slice old, slice new, struct err *err)
{
    char from[MARKED_MOST], to[MARKED_MOST];
    bool failed = false;

    for (size_t i = 0; i < PLACE_COUNT && !failed; i++) {
        if (places[i].kind != PLACE_LOGS || !marked_path(r, places[i].name, new, to))
            continue;
        if (queue_path(r->layout, places[i].name, old, from))
            (void)put(r, from, to, &failed, err);
        if (!failed && marked_path(r, places[i].name, old, from) && strcmp(from, to) != 0)
            (void)put(r, from, to, &failed, err);
    }
    return !failed;
}

/* A message gets the id that its inode wants; the second walk takes the mark off. */
static bool rename_message(struct repair *r, const struct met *m, struct err *err)
{
    char new_id[QUEUE_ID_MOST + 1], path[MARKED_MOST];
    bool failed = false;

    queue_id_print(r->long_ids && queue_id_is_long(m->id), m->time_us, m->st.st_ino, new_id);
    if (!marked_path(r, m->place->name, slice_text(new_id), path))
        return true;
    if (!is_rightful(r, m->id, &m->st) && !rename_logs(r, m->id, slice_text(new_id), err))
        return false;
    if (put(r, m->entry->path, path, &failed, err))
        r->unfinished = true;
    return !failed;
}

/* The file belongs below ITS folder. */
static bool put_in_place(struct repair *r, const struct met *m, struct err *err)
{
    char path[QUEUE_PATH_MOST];
    bool failed = false;

    if (!queue_path(r->layout, m->place->name, m->id, path) || strcmp(path, m->entry->path) == 0)
        return true;
    (void)put(r, m->entry->path, path, &failed, err);
    return !failed;
}

/* ---- one file ---- */

/* Site names have the alphabet of ids, and may be longer. */
static bool is_bogus(struct met *m)
{
    slice looked_at = m->place->kind == PLACE_SITES ? slice_head(m->id, QUEUE_ID_MOST) : m->id;

    return !queue_id_valid(looked_at) ||
           (m->place->kind == PLACE_MESSAGES && !queue_id_parse(m->id, &m->time_us, &m->inode));
}

static bool repair_message(struct repair *r, struct met *m, struct err *err)
{
    bool is_long = queue_id_is_long(m->id), wrong = m->inode != m->st.st_ino;

    if ((is_long && !r->long_ids) || (wrong && (!is_long || r->check_long)))
        return rename_message(r, m, err);
    if (m->marked) {
        r->unfinished = true;
        return true;
    }
    return put_in_place(r, m, err);
}

/* A file that nobody will complete.  What is marked as damaged is a person's to remove. */
static bool is_abandoned(const struct met *m)
{
    mode_t mode = m->st.st_mode & S_IRWXU;

    return m->place->kind == PLACE_MESSAGES && mode != QUEUE_MODE_READY && mode != QUEUE_MODE_CORRUPT &&
           m->st.st_mtime < (clock_wall_us() - ABANDONED_AFTER_US) / SECONDS(1);
}

/* "USEC.PID" of somebody who is at work this minute. */
static bool is_being_made(const struct met *m)
{
    return slice_find(m->id, '.') != SLICE_NONE && m->st.st_mtime > (clock_wall_us() - BEING_MADE_US) / SECONDS(1);
}

static bool removed(struct repair *r, const char *path, int result, struct err *err)
{
    if (result == 0)
        say(r, "remove", path, NULL);
    return result == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST || err_sys(err, "remove %s", path);
}

static bool repair_file(struct repair *r, struct met *m, struct err *err)
{
    const char *path = m->entry->path;

    if (r->purge && is_abandoned(m))
        return removed(r, path, fault("queue.unlink") ? -1 : unlink(path), err);
    if (is_bogus(m)) {
        /* Without -s an id may be whatever has the letters of one. */
        if ((r->structure || !queue_id_valid(m->id)) && !is_being_made(m))
            event_warning("bogus file name: %s", path);
        return true;
    }
    if (!r->structure)
        return true;
    if (m->place->kind == PLACE_MESSAGES)
        return repair_message(r, m, err);
    if (m->marked) {
        r->unfinished = true;
        return true;
    }
    return put_in_place(r, m, err);
}

/* The second walk: nothing has a wrong name any more that could be in the way. */
static bool finish_file(struct repair *r, struct met *m, struct err *err)
{
    char path[QUEUE_PATH_MOST];
    bool failed = false;

    if (is_bogus(m) || !queue_path(r->layout, m->place->name, m->id, path))
        return true;
    if (!m->marked)
        return m->place->kind == PLACE_MESSAGES && m->inode != m->st.st_ino ? true : put_in_place(r, m, err);
    if (m->place->kind != PLACE_MESSAGES) {
        if (fault("queue.rename") || (rename(m->entry->path, path) != 0 && errno != ENOENT))
            return err_sys(err, "rename %s to %s", m->entry->path, path);
        say(r, "rename", m->entry->path, path);
        return true;
    }
    if (put(r, m->entry->path, path, &failed, err))
        r->renamed++;
    return !failed;
}

/* ---- the walk ---- */

static bool has_right_name(const struct repair *r, slice id, uint64_t its_inode)
{
    int64_t us;
    uint64_t inode;

    return queue_id_parse(id, &us, &inode) && inode == its_inode && (r->long_ids || !queue_id_is_long(id));
}

/* A directory entry that is right as it stands needs no look at the file. */
static bool is_plainly_right(const struct repair *r, const struct met *m)
{
    char path[QUEUE_PATH_MOST];

    return !m->marked && m->entry->type == DT_REG && queue_path(r->layout, m->place->name, m->id, path) &&
           strcmp(path, m->entry->path) == 0 &&
           (m->place->kind != PLACE_MESSAGES || (!r->purge && has_right_name(r, m->id, m->entry->inode)));
}

typedef bool file_fn(struct repair *r, struct met *m, struct err *err);

static bool visit(struct repair *r, const struct place *place, const struct queue_entry *entry, file_fn *each,
                  struct err *err)
{
    struct met m = {.place = place, .entry = entry, .id = entry->name};

    if (slice_ends(m.id, fix_mark)) {
        m.id.n -= fix_mark.n;
        m.marked = true;
    }
    if (is_plainly_right(r, &m) || lstat(entry->path, &m.st) != 0)
        return true;
    if (S_ISREG(m.st.st_mode))
        return each(r, &m, err);
    /* Nothing else has any business here. */
    return removed(r, entry->path, (S_ISDIR(m.st.st_mode) ? rmdir : unlink)(entry->path), err);
}

/* A hash directory that hash_queue_depth has no use for. */
static bool is_superfluous(const struct repair *r, const struct place *place, int depth)
{
    return depth > queue_depth(r->layout, place->name);
}

static bool walk(struct repair *r, const struct place *place, file_fn *each, struct err *err)
{
    struct queue_scan *scan = queue_scan_open(place->name, err);
    struct queue_entry entry;
    bool ok = scan != NULL;

    if (r->verbose)
        event_info("queue: %.*s", S_ARG(place->name));
    while (ok) {
        switch (queue_scan_next_of_all(scan, &entry, err)) {
        case SCAN_ID:
        case SCAN_OTHER:
            ok = visit(r, place, &entry, each, err);
            continue;
        case SCAN_FOLDER:
            ok = !r->structure || !is_superfluous(r, place, entry.depth) ||
                 removed(r, entry.path, rmdir(entry.path), err);
            continue;
        case SCAN_FAILED:
            ok = false;
            break;
        default:
            break;
        }
        break;
    }
    queue_scan_close(scan);
    return ok;
}

bool repair_run(struct repair *r, struct err *err)
{
    for (size_t i = 0; i < PLACE_COUNT; i++)
        if (place_is_asked(r->where, &places[i]) && !walk(r, &places[i], repair_file, err))
            return false;
    r->finishing = r->unfinished;
    for (size_t i = 0; r->finishing && i < PLACE_COUNT; i++)
        if ((place_is_asked(r->where, &places[i]) || places[i].kind == PLACE_LOGS) &&
            !walk(r, &places[i], finish_file, err))
            return false;
    return true;
}
