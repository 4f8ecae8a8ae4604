#include "route/qmgr/watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/run/task.h"
#include "mail/queue/id.h"

enum {
    ALL_EVENTS =
        IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_ONLYDIR |
        IN_EXCL_UNLINK,
    MOVES = IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR,
    READ_BYTES = 16 * 1024, /* some 300 events */
    READS_MOST = 8,         /* in a row */
    FOLDERS_MOST = 5000,
};

struct folder {
    char *path; /* NULL: none */
    unsigned queue;
    bool moved_only;
};

struct watch {
    watch_fn *tell;
    void (*missed)(void);
    struct timer pause;
    int fd;
    struct folder *folders; /* by the kernel's number of the watch */
    size_t folder_cap, folder_count;
    bool partial; /* some folder is not watched, or was not read */
    _Alignas(struct inotify_event) char bytes[READ_BYTES];
};

static void remember(struct watch *w, size_t number, const struct folder *f)
{
    if (number >= w->folder_cap) {
        size_t cap = number < 32 ? 64 : number * 2;

        w->folders = xrealloc_array(w->folders, cap, sizeof *w->folders);
        memset(w->folders + w->folder_cap, 0, (cap - w->folder_cap) * sizeof *w->folders);
        w->folder_cap = cap;
    }
    if (w->folders[number].path == NULL)
        w->folder_count++;
    free(w->folders[number].path);
    w->folders[number] = *f;
    w->folders[number].path = xstrndup(f->path, strlen(f->path));
}

static void forget(struct watch *w, size_t number)
{
    if (number >= w->folder_cap || w->folders[number].path == NULL)
        return;
    w->folder_count--;
    free(w->folders[number].path);
    w->folders[number].path = NULL;
}

/* F and the folders of one letter in it, as deep as they go.  False: F is not watched. */
static bool add(struct watch *w, const struct folder *f)
{
    uint32_t events = f->moved_only ? MOVES : ALL_EVENTS;
    int number = w->folder_count < FOLDERS_MOST ? inotify_add_watch(w->fd, f->path, events) : (errno = ENOSPC, -1);
    struct dirent *entry;
    DIR *dir;

    if (number < 0) {
        w->partial |= errno != ENOTDIR && errno != ENOENT;
        return false;
    }
    remember(w, (size_t)number, f);
    dir = opendir(f->path);
    w->partial |= dir == NULL && errno != ENOENT;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char inner[QUEUE_PATH_MOST];
        int n = snprintf(inner, sizeof inner, "%s/%s", f->path, entry->d_name);

        if (strlen(entry->d_name) == 1 && queue_id_valid(slice_text(entry->d_name)) && n < (int)sizeof inner)
            (void)add(w, &(struct folder){inner, f->queue, f->moved_only}); /* a file of that name is refused */
    }
    if (dir != NULL)
        (void)closedir(dir);
    return true;
}

static bool is_watched(const struct watch *w, const char *path)
{
    for (size_t i = 0; i < w->folder_cap; i++)
        if (w->folders[i].path != NULL && strcmp(w->folders[i].path, path) == 0)
            return true;
    return false;
}

/* PATH has been moved away, with what is in it. */
static void leave(struct watch *w, const char *path)
{
    size_t n = strlen(path);

    for (size_t i = 0; i < w->folder_cap; i++) {
        const char *its = w->folders[i].path;

        if (its == NULL || strncmp(its, path, n) != 0 || (its[n] != '\0' && its[n] != '/'))
            continue;
        (void)inotify_rm_watch(w->fd, (int)i);
        forget(w, i);
    }
    w->missed();
}

/* The folder that E tells of; NULL: none of ours any more. */
static const struct folder *folder_of(const struct watch *w, const struct inotify_event *e)
{
    return e->wd >= 0 && (size_t)e->wd < w->folder_cap && w->folders[e->wd].path != NULL ? &w->folders[e->wd] : NULL;
}

/* A folder of a queue, or what could be one, has gone, has come, or has got other rights: perhaps it can be watched
 * now. */
static void folder_event(struct watch *w, const struct inotify_event *e)
{
    const struct folder *in = folder_of(w, e);
    char path[QUEUE_PATH_MOST];

    if (in == NULL || e->len == 0 || strlen(e->name) != 1 || !queue_id_valid(slice_text(e->name)) ||
        snprintf(path, sizeof path, "%s/%s", in->path, e->name) >= (int)sizeof path)
        return;
    if ((e->mask & IN_MOVED_FROM) != 0)
        leave(w, path);
    if ((e->mask & (IN_MOVED_FROM | IN_DELETE)) != 0)
        return;
    if (is_watched(w, path)) {
        if ((e->mask & IN_ATTRIB) != 0)
            w->missed(); /* what could not be read before */
        return;
    }
    if (add(w, &(struct folder){path, in->queue, in->moved_only}))
        w->missed(); /* what was put into it before it was watched */
}

static bool is_file_event(const struct inotify_event *e)
{
    return (e->mask & (IN_Q_OVERFLOW | IN_IGNORED | IN_ISDIR)) == 0 && e->len > 0 && queue_id_valid(slice_text(e->name));
}

/* A move within what is watched is two events, nearly always in a row: told as one, nobody need look where the file is. */
static bool tell_of_move(struct watch *w, const struct inotify_event *e, const struct inotify_event *next)
{
    const struct folder *from = folder_of(w, e), *to = folder_of(w, next);

    if ((e->mask & IN_MOVED_FROM) == 0 || (next->mask & IN_MOVED_TO) == 0 || e->cookie != next->cookie || from == NULL ||
        to == NULL || !is_file_event(e) || !is_file_event(next) || strcmp(e->name, next->name) != 0)
        return false;
    w->tell(&(struct watch_seen){slice_text(e->name), WATCH_MOVED, from->queue, from->path, to->queue, to->path});
    return true;
}

static enum watch_change change_of(uint32_t mask)
{
    if ((mask & IN_DELETE) != 0)
        return WATCH_REMOVED;
    if ((mask & IN_MOVED_FROM) != 0)
        return WATCH_WENT;
    if ((mask & IN_CREATE) != 0)
        return WATCH_CREATED;
    return (mask & IN_MOVED_TO) != 0 ? WATCH_CAME : WATCH_CHANGED;
}

static void event(struct watch *w, const struct inotify_event *e)
{
    const struct folder *f = folder_of(w, e);

    if ((e->mask & IN_Q_OVERFLOW) != 0)
        w->missed();
    else if ((e->mask & IN_IGNORED) != 0)
        forget(w, (size_t)e->wd);
    else if ((e->mask & IN_ISDIR) != 0)
        folder_event(w, e);
    else if (f != NULL && is_file_event(e))
        w->tell(&(struct watch_seen){slice_text(e->name), change_of(e->mask), f->queue, f->path, 0, NULL});
}

static const struct inotify_event *event_at(const struct watch *w, ssize_t at, ssize_t n)
{
    return at < n ? (const void *)(w->bytes + at) : NULL;
}

static ssize_t event_bytes(const struct inotify_event *e)
{
    return (ssize_t)(sizeof *e + e->len);
}

static bool read_events(struct watch *w)
{
    ssize_t n = read(w->fd, w->bytes, sizeof w->bytes);
    const struct inotify_event *e, *next;

    for (ssize_t at = 0; (e = event_at(w, at, n)) != NULL;) {
        at += event_bytes(e);
        next = event_at(w, at, n);
        if (next != NULL && tell_of_move(w, e, next))
            at += event_bytes(next);
        else
            event(w, e);
    }
    return n > 0;
}

/* Each message that cleanup puts into incoming/ is an event, and a trigger tells of it anyhow.  So that not each of them wakes
 * this process, events that follow others are looked at a little later, all in one go.  The kernel keeps 16384 of them by
 * default, which postsuper fills in a tenth of a second: then the pause is shorter. */
#define PAUSE_US MILLIS(50)
#define PAUSE_IN_A_BURST_US MILLIS(5)

static void on_events(int fd, void *arg);

static void after_pause(void *arg)
{
    struct watch *w = arg;
    unsigned reads = 0;
    struct err err;

    while (reads < READS_MOST && read_events(w))
        reads++;
    if (reads > 0 || !fd_watch(w->fd, on_events, w, &err))
        timer_set(&w->pause, deadline_in(reads > 1 ? PAUSE_IN_A_BURST_US : PAUSE_US), after_pause, w);
}

static void on_events(int fd, void *arg)
{
    struct watch *w = arg;

    (void)read_events(w);
    fd_forget(fd);
    timer_set(&w->pause, deadline_in(PAUSE_US), after_pause, w);
}

struct watch *watch_open(watch_fn *tell, void (*missed)(void), struct err *err)
{
    struct watch *w = xcalloc(1, sizeof *w);

    w->tell = tell;
    w->missed = missed;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd >= 0 && fd_watch(w->fd, on_events, w, err))
        return w;
    (void)err_sys(err, "watch the queue");
    if (w->fd >= 0)
        (void)close(w->fd);
    free(w);
    return NULL;
}

bool watch_queue(struct watch *w, const char *queue, unsigned number, bool moved_only, struct err *err)
{
    char path[QUEUE_PATH_MOST];

    (void)snprintf(path, sizeof path, "%s", queue);
    return add(w, &(struct folder){path, number, moved_only}) || err_sys(err, "watch %s", queue);
}

bool watch_is_whole(const struct watch *w)
{
    return !w->partial;
}

bool watch_catch_up(struct watch *w)
{
    return read_events(w);
}
