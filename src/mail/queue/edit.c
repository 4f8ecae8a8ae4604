#include "mail/queue/edit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/fault.h"
#include "core/base/file.h"

/* ---- moving ---- */

/* For file systems that cannot do it in one step. */
static int look_and_rename(const char *old, const char *new)
{
    struct stat st;

    if (lstat(new, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(old, new);
}

static int rename_exclusively(const char *old, const char *new)
{
    if (fault("queue.rename"))
        return -1;
    if (renameat2(AT_FDCWD, old, AT_FDCWD, new, RENAME_NOREPLACE) == 0)
        return 0;
    return errno == EINVAL || errno == ENOSYS ? look_and_rename(old, new) : -1;
}

static bool are_one_file(const char *one, const char *other)
{
    struct stat a, b;

    return lstat(one, &a) == 0 && lstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool queue_rename_unless_taken(const char *old, char *new, struct err *err)
{
    struct stat st;
    int problem;

    if (rename_exclusively(old, new) == 0)
        return true;
    /* ENOENT is either name: only a missing folder is worth a second try. */
    if (errno == ENOENT && lstat(old, &st) == 0 && queue_make_folders(new) && rename_exclusively(old, new) == 0)
        return true;
    problem = errno;
    if (problem == EEXIST && are_one_file(old, new) && unlink(old) == 0)
        return true;
    errno = problem;
    return err_sys(err, "rename %s to %s", old, new);
}

/* What a failed call on QUEUE/ID means. */
static enum queue_edit failed(const struct err *err)
{
    return err->sys == ENOENT ? QUEUE_EDIT_ABSENT : QUEUE_EDIT_FAILED;
}

static bool path_of(const struct queue_layout *l, slice queue, slice id, char to[QUEUE_PATH_MOST], struct err *err)
{
    return queue_path(l, queue, id, to) ||
           err_set(err, ERR_SYNTAX, "invalid queue id: %.*s", S_ARG(slice_head(id, QUEUE_ID_MOST)));
}

enum queue_edit queue_edit_move(const struct queue_layout *l, slice from, slice to, slice id, struct err *err)
{
    char old[QUEUE_PATH_MOST], new[QUEUE_PATH_MOST];
    struct stat st;

    if (!path_of(l, from, id, old, err) || !path_of(l, to, id, new, err))
        return QUEUE_EDIT_FAILED;
    if (queue_file_check(old, &st) != QUEUE_FILE_READY)
        return QUEUE_EDIT_ABSENT;
    return queue_rename_unless_taken(old, new, err) ? QUEUE_EDIT_DONE : failed(err);
}

/* ---- removing and marking ---- */

/* Opens a complete file with FLAGS; negative: *RESULT says what is the matter. */
static int open_ready(const char *path, int flags, struct stat *st, enum queue_edit *result, struct err *err)
{
    int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || fstat(fd, st) != 0) {
        (void)err_sys(err, "open %s", path);
        *result = errno == ELOOP ? QUEUE_EDIT_ABSENT : failed(err);
    } else if (!S_ISREG(st->st_mode) || (st->st_mode & S_IRWXU) != QUEUE_MODE_READY) {
        *result = QUEUE_EDIT_ABSENT;
    } else {
        return fd;
    }
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

enum queue_edit queue_edit_remove(const struct queue_layout *l, slice queue, slice id, bool rare_logs, struct err *err)
{
    static const slice logs[] = {S_INIT("defer"), S_INIT("bounce"), S_INIT("trace")};
    char path[QUEUE_PATH_MOST];
    enum queue_edit result = QUEUE_EDIT_FAILED;
    AUTO_FD int fd = -1;
    struct stat st;

    if (!path_of(l, queue, id, path, err))
        return QUEUE_EDIT_FAILED;
    fd = open_ready(path, O_PATH, &st, &result, err);
    if (fd < 0)
        return result;
    if (fault("queue.unlink") || unlink(path) != 0) {
        (void)err_sys(err, "remove %s", path);
        return failed(err);
    }
    for (size_t i = 0; i < (rare_logs ? COUNT_OF(logs) : 1); i++)
        if (queue_path(l, logs[i], id, path) && !fault("queue.unlink"))
            (void)unlink(path);
    return QUEUE_EDIT_DONE;
}

enum queue_edit queue_edit_expire(const struct queue_layout *l, slice queue, slice id, struct err *err)
{
    char path[QUEUE_PATH_MOST];
    enum queue_edit result = QUEUE_EDIT_FAILED;
    AUTO_FD int fd = -1;
    struct stat st;

    if (!path_of(l, queue, id, path, err))
        return QUEUE_EDIT_FAILED;
    fd = open_ready(path, O_RDONLY, &st, &result, err);
    if (fd < 0)
        return result;
    if (st.st_nlink > 1) {
        (void)err_set(err, ERR_CORRUPT, "expire file %s: file has %lu hard links", path, (unsigned long)st.st_nlink);
        return QUEUE_EDIT_FAILED;
    }
    if ((st.st_mode & QUEUE_MODE_EXPIRE) != 0)
        return QUEUE_EDIT_UNCHANGED;
    if (fchmod(fd, (st.st_mode & 07777) | QUEUE_MODE_EXPIRE) != 0) {
        (void)err_sys(err, "expire file %s", path);
        return QUEUE_EDIT_FAILED;
    }
    return QUEUE_EDIT_DONE;
}
