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
        IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK,
    MOVES = IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR,
    READ_BYTES = 3000, /* of a task's stack; some fifty events */
    FOLDERS_MOST = 5000,
};

/* A folder of a queue that is told of by TELL. */
struct folder {
    char *path; /* NULL: none */
    watch_fn *tell;
    bool moved_only;
};

struct watch {
    void (*missed)(void);
    struct timer pause;
    int fd;
    struct folder *folders; /* by the kernel's number of the watch */
    size_t folder_cap, folder_count;
    bool partial; /* some folder is not watched, or was not read */
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
            (void)add(w, &(struct folder){inner, f->tell, f->moved_only}); /* a file of that name is refused */
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

/* A folder of a queue, or what could be one, has gone, has come, or has got other rights: perhaps it can be watched
 * now. */
static void folder_event(struct watch *w, const struct inotify_event *e)
{
    char path[QUEUE_PATH_MOST];

    if ((size_t)e->wd >= w->folder_cap || w->folders[e->wd].path == NULL || e->len == 0 || strlen(e->name) != 1 ||
        !queue_id_valid(slice_text(e->name)) ||
        snprintf(path, sizeof path, "%s/%s", w->folders[e->wd].path, e->name) >= (int)sizeof path)
        return;
    if ((e->mask & IN_MOVED_FROM) != 0)
        leave(w, path);
    if ((e->mask & (IN_MOVED_FROM | IN_DELETE)) != 0 || is_watched(w, path))
        return;
    if (add(w, &(struct folder){path, w->folders[e->wd].tell, w->folders[e->wd].moved_only}))
        w->missed(); /* what was put into it before it was watched */
}

static void event(struct watch *w, const struct inotify_event *e)
{
    slice name = e->len > 0 ? slice_text(e->name) : (slice){0};

    if ((e->mask & IN_Q_OVERFLOW) != 0)
        w->missed();
    else if ((e->mask & IN_IGNORED) != 0)
        forget(w, (size_t)e->wd);
    else if ((e->mask & IN_ISDIR) != 0)
        folder_event(w, e);
    else if ((size_t)e->wd < w->folder_cap && w->folders[e->wd].path != NULL && queue_id_valid(name))
        w->folders[e->wd].tell(name, (e->mask & (IN_MOVED_FROM | IN_DELETE)) != 0 ? WATCH_WENT
                                     : (e->mask & (IN_CREATE | IN_MOVED_TO)) != 0 ? WATCH_CAME
                                                                                  : WATCH_CHANGED);
}

static bool read_events(struct watch *w)
{
    _Alignas(struct inotify_event) char bytes[READ_BYTES];
    ssize_t n = read(w->fd, bytes, sizeof bytes);

    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const void *)(bytes + at);

        event(w, e);
        at += (ssize_t)(sizeof *e + e->len);
    }
    return n > 0;
}

/* Each message that cleanup puts into incoming/ is an event, and a trigger tells of it anyhow.  So that not each of them wakes
 * this process, events that follow others are looked at a little later, all in one go. */
#define PAUSE_US MILLIS(50)

static void on_events(int fd, void *arg);

static void after_pause(void *arg)
{
    struct watch *w = arg;
    struct err err;

    if (read_events(w) || !fd_watch(w->fd, on_events, w, &err))
        timer_set(&w->pause, deadline_in(PAUSE_US), after_pause, w);
}

static void on_events(int fd, void *arg)
{
    struct watch *w = arg;

    (void)read_events(w);
    fd_forget(fd);
    timer_set(&w->pause, deadline_in(PAUSE_US), after_pause, w);
}

struct watch *watch_open(void (*missed)(void), struct err *err)
{
    struct watch *w = xcalloc(1, sizeof *w);

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

bool watch_queue(struct watch *w, const char *queue, bool moved_only, watch_fn *tell, struct err *err)
{
    char path[QUEUE_PATH_MOST];

    (void)snprintf(path, sizeof path, "%s", queue);
    return add(w, &(struct folder){path, tell, moved_only}) || err_sys(err, "watch %s", queue);
}

bool watch_is_whole(const struct watch *w)
{
    return !w->partial;
}

bool watch_catch_up(struct watch *w)
{
    return read_events(w);
}
