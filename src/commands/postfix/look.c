#include "commands/postfix/look.h"

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"

enum { COMPARED_MAX_BYTES = 64 << 20, DEEPEST = 20 };

#define DAMAGED "corrupt"

/* ---- all below a folder ---- */

typedef void see_fn(void *context, const char *path, const struct stat *st);

static void each_below(struct buf *path, int depth, see_fn *see, void *context)
{
    size_t length = path->n;
    struct dirent *entry;
    struct stat st;
    DIR *dir;

    if (lstat(buf_text(path), &st) != 0)
        return;
    see(context, buf_text(path), &st);
    if (!S_ISDIR(st.st_mode) || depth > DEEPEST)
        return;
    dir = opendir(buf_text(path));
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (buf_addf(path, "/%s", entry->d_name))
            each_below(path, depth + 1, see, context);
        buf_truncate(path, length);
    }
    if (dir != NULL)
        (void)closedir(dir);
}

static void below(const char *directory, const char *name, see_fn *see, void *context)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);

    if (buf_addf(&path, "%s%s%s", directory, directory[0] == '\0' ? "" : "/", name))
        each_below(&path, 0, see, context);
}

/* ---- owners and modes ---- */

/* The link that Debian's package has in the configuration directory. */
static bool is_meant(const char *path)
{
    return strcmp(path, "/etc/postfix/./makedefs.out") == 0;
}

static bool leaves(const char *path)
{
    char target[1024];
    ssize_t n = readlink(path, target, sizeof target);

    return n > 0 && slice_find(slice_of(target, (size_t)n), '/') != SLICE_NONE;
}

static bool others_write(const struct look *l, const char *path, const struct stat *st)
{
    struct stat target;

    /* A link has a mode of its own, in which everybody may write. */
    if (S_ISLNK(st->st_mode) && l->targets && stat(path, &target) == 0)
        st = &target;
    return (st->st_mode & 022) != 0;
}

static void look_at(void *context, const char *path, const struct stat *st)
{
    const struct look *l = context;

    if (l->peers && (S_ISSOCK(st->st_mode) || S_ISFIFO(st->st_mode)))
        return;
    if (l->owners && st->st_uid != l->owner)
        say_warning(l->i, "not owned by %s: %s", l->owner_name, path);
    if (l->modes && others_write(l, path, st))
        say_warning(l->i, "group or other writable: %s", path);
    if (l->links && S_ISLNK(st->st_mode) && leaves(path) && !is_meant(path))
        say_warning(l->i, "symlink leaves directory: %s", path);
}

void look_at_one(const struct look *l, const char *directory, const char *name)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    struct stat st;

    if (buf_addf(&path, "%s/%s", directory, name) && lstat(buf_text(&path), &st) == 0)
        look_at((void *)l, buf_text(&path), &st);
}

void look_below(const struct look *l, const char *directory, const char *name)
{
    below(directory, name, look_at, (void *)l);
}

void look_at_group(struct instance *i, const char *directory, const char *name, gid_t group, const char *group_name)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    struct stat st;

    if (buf_addf(&path, "%s/%s", directory, name) && stat(buf_text(&path), &st) == 0 && st.st_gid != group)
        say_warning(i, "not owned by group %s: %s", group_name, buf_text(&path));
}

/* ---- copies of system files that services in a chroot read ---- */

static bool differ(const char *one, const char *other)
{
    AUTO_BUF struct buf ours = BUF_INIT(COMPARED_MAX_BYTES), theirs = BUF_INIT(COMPARED_MAX_BYTES);
    struct err ignored;

    return file_read_path(one, &ours, &ignored) && file_read_path(other, &theirs, &ignored) &&
           !slice_eq(buf_slice(&ours), buf_slice(&theirs));
}

static void look_at_copy(void *context, const char *path, const struct stat *st)
{
    struct instance *i = context;
    AUTO_BUF struct buf original = BUF_INIT(PATH_MAX);
    struct stat other;

    if (st->st_uid != 0)
        say_warning(i, "not owned by root: %s/%s", i->params->queue_directory, path);
    if (S_ISREG(st->st_mode) && buf_addf(&original, "/%s", path) && stat(buf_text(&original), &other) == 0 &&
        S_ISREG(other.st_mode) && (st->st_size != other.st_size || differ(path, buf_text(&original))))
        say_warning(i, "%s/%s and /%s differ", i->params->queue_directory, path, path);
}

void look_at_copies(struct instance *i, const char *name)
{
    below("", name, look_at_copy, i);
}

/* ---- what is left by an accident, or by another mail system ---- */

static void tell_damaged(void *context, const char *path, const struct stat *st)
{
    if (S_ISREG(st->st_mode))
        say_warning(context, "damaged message: %s", path);
}

void look_for_damaged(struct instance *i)
{
    below("", DAMAGED, tell_damaged, i);
}

void look_for_other_sendmail(struct instance *i)
{
    static const char one[] = "/usr/sbin/sendmail", other[] = "/usr/lib/sendmail";

    if (!differ(one, other))
        return;
    say_warning(i, "%s and %s differ", other, one);
    say_warning(i, "Replace one by a symbolic link to the other");
}
