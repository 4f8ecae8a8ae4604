#include "report/flush/site_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/base/map.h"

enum { NAME_MOST = 255, PATH_BYTES = NAME_MOST + 16, LOG_BYTES = 64 * 1024 * 1024 };

bool site_log_name(slice site, struct buf *out)
{
    if (site.n == 0 || site.n > NAME_MOST)
        return false;
    for (size_t i = 0; i < site.n; i++)
        (void)buf_add_char(out, ascii_is_alnum(site.p[i]) ? ascii_lower(site.p[i]) : '_');
    return !out->overflow;
}

static int open_log(slice name, int flags, char path[PATH_BYTES], struct err *err)
{
    int fd;

    (void)snprintf(path, PATH_BYTES, "flush/%.*s", S_ARG(name));
    fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        (void)err_sys(err, "open fast flush logfile %s", path);
        return -1;
    }
    if (flock(fd, LOCK_EX) != 0) {
        (void)err_sys(err, "lock fast flush logfile %s", path);
        (void)close(fd);
        return -1;
    }
    return fd;
}

bool site_log_add(slice name, slice queue_id, struct err *err)
{
    char path[PATH_BYTES], line[QUEUE_ID_MOST + 2];
    AUTO_FD int fd = open_log(name, O_WRONLY | O_APPEND | O_CREAT, path, err);
    int n;

    if (fd < 0)
        return false;
    n = snprintf(line, sizeof line, "%.*s\n", S_ARG(slice_head(queue_id, QUEUE_ID_MOST)));
    if (!file_write_all(fd, slice_of(line, (size_t)n), err))
        return err_note(err, "write fast flush logfile %s", path);
    return true;
}

bool site_move_to_incoming(const struct queue_layout *l, slice id, bool unthrottle, bool *moved, struct err *err)
{
    char path[QUEUE_PATH_MOST];
    struct stat st;

    *moved = false;
    if (!queue_path(l, S(QUEUE_DEFERRED), id, path))
        return true;
    /* The mode and time first: the queue manager looks as soon as the file has moved. */
    if (stat(path, &st) != 0 || (unthrottle && chmod(path, (st.st_mode & 07777) | QUEUE_MODE_UNTHROTTLE) != 0) ||
        utimensat(AT_FDCWD, path, NULL, 0) != 0)
        return errno == ENOENT || err_sys(err, "update %s", path);
    if (!queue_move(l, S(QUEUE_DEFERRED), S(QUEUE_INCOMING), id, err))
        return err->sys == ENOENT;
    *moved = true;
    return true;
}

/* Each id once, however often it was added. */
static bool move_all(const struct queue_layout *l, slice ids, int *moved, struct err *err)
{
    struct map seen;
    slice id;
    bool ok = true, one = false;

    map_init(&seen);
    while (ok && cut_field(&ids, '\n', &id)) {
        if (!queue_id_valid(id) || map_set(&seen, id, &seen) != NULL)
            continue;
        ok = site_move_to_incoming(l, id, false, &one, err);
        *moved += one;
    }
    map_done(&seen, NULL);
    return ok;
}

bool site_log_send(const struct queue_layout *l, slice name, int *moved, struct err *err)
{
    AUTO_BUF struct buf ids = BUF_INIT(LOG_BYTES);
    char path[PATH_BYTES];
    AUTO_FD int fd = open_log(name, O_RDWR, path, err);

    *moved = 0;
    if (fd < 0)
        return err->sys == ENOENT;
    if (!file_read_all(fd, &ids, err) || !move_all(l, buf_slice(&ids), moved, err))
        return false;
    return ids.n == 0 || ftruncate(fd, 0) == 0 || err_sys(err, "truncate fast flush logfile %s", path);
}

static bool remove_empty(slice name, struct err *err)
{
    char path[PATH_BYTES];
    struct stat st;
    AUTO_FD int fd = open_log(name, O_RDWR, path, err);

    if (fd < 0)
        return err->sys == ENOENT;
    return fstat(fd, &st) != 0 || st.st_size > 0 || unlink(path) == 0 || err_sys(err, "remove %s", path);
}

bool site_logs_refresh(int64_t max_age_us, int64_t empty_age_us, void (*send)(slice name), struct err *err)
{
    DIR *dir = opendir("flush");
    const struct dirent *entry;
    bool ok = true;

    if (dir == NULL)
        return err_sys(err, "open directory flush");
    while (ok && (entry = readdir(dir)) != NULL) {
        slice name = slice_text(entry->d_name);
        struct stat st;
        int64_t age_us;

        if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(st.st_mode))
            continue;
        age_us = clock_wall_us() - (int64_t)st.st_mtim.tv_sec * SECONDS(1);
        if (st.st_size > 0 && age_us >= max_age_us)
            send(name);
        else if (st.st_size == 0 && age_us >= empty_age_us)
            ok = remove_empty(name, err);
    }
    (void)closedir(dir);
    return ok;
}
