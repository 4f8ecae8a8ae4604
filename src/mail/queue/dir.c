#include "mail/queue/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/file.h"

bool queue_make_folders(char *path)
{
    char *first = strchr(path, '/');

    for (char *at = first == NULL ? NULL : strchr(first + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        int made;

        *at = '\0';
        made = mkdir(path, 0700);
        *at = '/';
        if (made != 0 && errno != EEXIST)
            return false;
    }
    return true;
}

static int rename_making_folders(const char *from, char *to)
{
    struct stat st;

    if (fault("queue.rename"))
        return -1;
    if (rename(from, to) == 0)
        return 0;
    /* ENOENT is either name: only a missing folder is worth a second try. */
    if (errno != ENOENT || lstat(from, &st) != 0 || !queue_make_folders(to))
        return -1;
    return rename(from, to);
}

enum { CREATE_TRIES = 1000 };

bool queue_create(const struct queue_layout *l, slice queue, bool long_ids, int mode, struct queue_new *out,
                  struct err *err)
{
    char temp[QUEUE_PATH_MOST], path[QUEUE_PATH_MOST];
    struct queue_new made = {.fd = -1};
    struct stat st;

    for (int tries = 0; made.fd < 0; tries++) {
        (void)snprintf(temp, sizeof temp, "%.*s/%d.%d", S_ARG(queue), (int)(clock_wall_us() % SECONDS(1)), getpid());
        made.fd = fault("queue.create") ? -1 : file_open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (made.fd < 0 && (errno != EEXIST || tries >= CREATE_TRIES))
            return err_sys(err, "create file %s", temp);
    }
    if (fstat(made.fd, &st) != 0) {
        (void)err_sys(err, "fstat %s", temp);
        goto failed;
    }
    for (int tries = 0;; tries++) {
        made.created_us = clock_wall_us();
        queue_id_print(long_ids, made.created_us, st.st_ino, made.id);
        if (!queue_path(l, queue, slice_text(made.id), path)) {
            (void)err_set(err, ERR_LIMIT, "queue name %.*s is too long", S_ARG(queue));
            goto failed;
        }
        if (rename_making_folders(temp, path) == 0)
            break;
        if ((errno != EPERM && errno != EISDIR) || tries >= CREATE_TRIES) {
            (void)err_sys(err, "rename %s to %s", temp, path);
            goto failed;
        }
    }
    *out = made;
    return true;

failed:
    (void)unlink(temp);
    (void)close(made.fd);
    return false;
}

bool queue_move(const struct queue_layout *l, slice from, slice to, slice id, struct err *err)
{
    char old[QUEUE_PATH_MOST], new[QUEUE_PATH_MOST];

    if (!queue_path(l, from, id, old) || !queue_path(l, to, id, new))
        return err_set(err, ERR_SYNTAX, "invalid queue id: %.*s", S_ARG(slice_head(id, QUEUE_ID_MOST)));
    if (rename_making_folders(old, new) != 0)
        return err_sys(err, "rename %s to %s", old, new);
    return true;
}

/* ---- walking ---- */

enum { SCAN_DEPTH = 12 };

struct queue_scan {
    DIR *open[SCAN_DEPTH];
    size_t path_bytes[SCAN_DEPTH]; /* of the folder's name in path, with its slash */
    int depth;                     /* folders open */
    bool flat;
    bool incomplete;   /* a folder could not be read, since UNREADABLE */
    struct err unreadable;
    char path[QUEUE_PATH_MOST];
};

struct queue_scan *queue_scan_open(slice queue, struct err *err)
{
    struct queue_scan *s = xcalloc(1, sizeof *s);

    if (!text_from_slice(queue, s->path, sizeof s->path - 1)) {
        free(s);
        (void)err_set(err, ERR_LIMIT, "queue name is too long");
        return NULL;
    }
    s->flat = slice_eq(queue, S(QUEUE_MAILDROP));
    s->open[0] = opendir(s->path);
    if (s->open[0] == NULL) {
        (void)err_sys(err, "open directory %s", s->path);
        free(s);
        return NULL;
    }
    s->path[queue.n] = '/';
    s->path_bytes[0] = queue.n + 1;
    s->depth = 1;
    return s;
}

void queue_scan_close(struct queue_scan *s)
{
    if (s == NULL)
        return;
    while (s->depth > 0)
        (void)closedir(s->open[--s->depth]);
    free(s);
}

/* A folder that has gone meanwhile is no error: its messages went with it. */
static void enter(struct queue_scan *s, const struct dirent *entry)
{
    size_t n = s->path_bytes[s->depth - 1];
    struct stat st;
    DIR *dir;

    if (s->depth == SCAN_DEPTH || n + 3 > sizeof s->path)
        return;
    s->path[n] = entry->d_name[0];
    s->path[n + 1] = '\0';
    if (lstat(s->path, &st) == 0 && !S_ISDIR(st.st_mode))
        return;
    dir = opendir(s->path);
    if (dir == NULL) {
        if (errno != ENOENT && errno != ENOTDIR && !s->incomplete)
            s->incomplete = !err_sys(&s->unreadable, "open directory %s", s->path);
        return;
    }
    s->path[n + 1] = '/';
    s->open[s->depth] = dir;
    s->path_bytes[s->depth++] = n + 2;
}

/* Closes the innermost folder; true when it was a hash directory, whose name is then the path. */
static bool leave(struct queue_scan *s)
{
    (void)closedir(s->open[--s->depth]);
    if (s->depth == 0)
        return false;
    s->path[s->path_bytes[s->depth] - 1] = '\0';
    return true;
}

enum queue_scan_got queue_scan_next_of_all(struct queue_scan *s, struct queue_entry *out, struct err *err)
{
    while (s->depth > 0) {
        size_t n = s->path_bytes[s->depth - 1];
        const struct dirent *entry;
        slice name;

        errno = 0;
        entry = readdir(s->open[s->depth - 1]);
        if (entry == NULL && errno != 0 && !s->incomplete)
            s->incomplete = !err_sys(&s->unreadable, "read directory %.*s", (int)n, s->path);
        if (entry == NULL) {
            if (!leave(s))
                break;
            n = s->path_bytes[s->depth - 1];
            *out = (struct queue_entry){s->path, slice_text(s->path + n), 0, DT_DIR, s->depth};
            return SCAN_FOLDER;
        }
        name = slice_text(entry->d_name);
        if (slice_eq(name, S(".")) || slice_eq(name, S("..")) || n + name.n + 1 > sizeof s->path)
            continue;
        if (name.n == 1 && name.p[0] != '.' && !s->flat) {
            enter(s, entry);
            continue;
        }
        memcpy(s->path + n, name.p, name.n + 1);
        *out = (struct queue_entry){s->path, slice_of(s->path + n, name.n), entry->d_ino, entry->d_type, s->depth - 1};
        return queue_id_valid(name) ? SCAN_ID : SCAN_OTHER;
    }
    if (s->incomplete)
        *err = s->unreadable;
    return s->incomplete ? SCAN_FAILED : SCAN_END;
}

enum queue_scan_got queue_scan_next(struct queue_scan *s, slice *id, const char **path, struct err *err)
{
    struct queue_entry entry;
    enum queue_scan_got got;

    do
        got = queue_scan_next_of_all(s, &entry, err);
    while (got == SCAN_OTHER || got == SCAN_FOLDER);
    if (got == SCAN_ID) {
        *id = entry.name;
        *path = entry.path;
    }
    return got;
}

/* ---- one file ---- */

enum queue_readiness queue_file_check(const char *path, struct stat *st)
{
    if (lstat(path, st) != 0)
        return errno == ENOENT ? QUEUE_FILE_GONE : QUEUE_FILE_BAD;
    if (!S_ISREG(st->st_mode))
        return QUEUE_FILE_BAD;
    return (st->st_mode & S_IRWXU) == QUEUE_MODE_READY ? QUEUE_FILE_READY : QUEUE_FILE_NOT_READY;
}

bool queue_lock(int fd, bool exclusive, struct err *err)
{
    while (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0)
        if (errno != EINTR)
            return err_sys(err, "lock queue file");
    return true;
}

bool queue_mark(int fd, int64_t offset, char from, char to, struct err *err)
{
    char there;
    ssize_t n = pread(fd, &there, 1, offset);

    if (n < 0)
        return err_sys(err, "read queue file at offset %lld", (long long)offset);
    if (n == 0 || there != from)
        return err_set(err, ERR_CORRUPT, "no record of type %c at offset %lld", from, (long long)offset);
    if (fault("queue.mark") || pwrite(fd, &to, 1, offset) != 1)
        return err_sys(err, "update queue file at offset %lld", (long long)offset);
    return true;
}
