#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/postfix/instance.h"
#include "core/base/file.h"

enum { COMPARED_MAX_BYTES = 16 << 20 };

/* ---- the folders of the queue directory ---- */

enum folder_owner { FOR_MAIL, FOR_SUBMIT, FOR_ROOT };

static const struct {
    const char *name;
    mode_t mode;          /* as root */
    mode_t rootless_mode; /* only the owner submits */
    enum folder_owner owner;
} folders[] = {
    {"active", 0700, 0700, FOR_MAIL},   {"bounce", 0700, 0700, FOR_MAIL},   {"corrupt", 0700, 0700, FOR_MAIL},
    {"defer", 0700, 0700, FOR_MAIL},    {"deferred", 0700, 0700, FOR_MAIL}, {"flush", 0700, 0700, FOR_MAIL},
    {"hold", 0700, 0700, FOR_MAIL},     {"incoming", 0700, 0700, FOR_MAIL}, {"private", 0700, 0700, FOR_MAIL},
    {"saved", 0700, 0700, FOR_MAIL},    {"trace", 0700, 0700, FOR_MAIL},    {"maildrop", 0730, 0700, FOR_SUBMIT},
    {"public", 0710, 0700, FOR_SUBMIT}, {"pid", 0755, 0755, FOR_ROOT},
};

static bool make_folder(struct instance *i, const char *path, mode_t mode, enum folder_owner owner)
{
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST || say_fatal(i, "create directory %s: %s", path, strerror(errno)) == 0;
    if (!i->rootless && owner != FOR_ROOT &&
        chown(path, i->owner_uid, owner == FOR_SUBMIT ? i->setgid_gid : (gid_t)-1) != 0)
        return say_fatal(i, "chown %s: %s", path, strerror(errno)) == 0;
    return chmod(path, mode) == 0 || say_fatal(i, "chmod %s: %s", path, strerror(errno)) == 0;
}

static bool have_program(const char *directory, const char *name)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);

    buf_addf(&path, "%s/%s", directory, name);
    return access(buf_text(&path), X_OK) == 0;
}

bool check_repair(struct instance *i, bool with_postsuper)
{
    char *argv[] = {(char *)"postsuper", NULL};

    for (size_t n = 0; n < COUNT_OF(folders); n++)
        if (!make_folder(i, folders[n].name, i->rootless ? folders[n].rootless_mode : folders[n].mode, folders[n].owner))
            return false;
    if (!make_folder(i, i->params->data_directory, 0700, FOR_MAIL))
        return false;
    return !with_postsuper || !have_program(i->params->command_directory, "postsuper") ||
           run_program(i, i->params->command_directory, argv) == 0;
}

/* ---- warnings ---- */

/* What is expected of everything below a folder. */
struct walk {
    struct instance *i;
    uid_t owner;
    const char *owner_name;
    bool check_mode;  /* no write permission for group and others */
    bool check_links; /* symbolic links stay inside */
};

static void look_at(const struct walk *w, const char *path, const struct stat *st)
{
    char target[4]; /* enough to see whether it begins with / or ../ */
    ssize_t n;

    if (st->st_uid != w->owner)
        say_warning(w->i, "not owned by %s: %s", w->owner_name, path);
    if (!S_ISLNK(st->st_mode)) {
        if (w->check_mode && (st->st_mode & 022) != 0)
            say_warning(w->i, "group or other writable: %s", path);
        return;
    }
    n = readlink(path, target, sizeof target);
    /* Debian's package has one that is meant to leave. */
    if (w->check_links && !slice_eq(slice_text(path), S("/etc/postfix/./makedefs.out")) && n > 0 && (target[0] == '/' || slice_starts(slice_of(target, (size_t)n), S("../"))))
        say_warning(w->i, "symlink leaves directory: %s", path);
}

static void walk(const struct walk *w, struct buf *path, int depth)
{
    size_t length = path->n;
    struct dirent *entry;
    struct stat st;
    DIR *dir;

    if (lstat(buf_text(path), &st) != 0)
        return;
    look_at(w, buf_text(path), &st);
    if (!S_ISDIR(st.st_mode) || depth > 10)
        return;
    dir = opendir(buf_text(path));
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (buf_addf(path, "/%s", entry->d_name))
            walk(w, path, depth + 1);
        buf_truncate(path, length);
    }
    if (dir != NULL)
        (void)closedir(dir);
}

static void walk_from(const struct walk *w, const char *directory, const char *below)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);

    buf_addf(&path, "%s/%s", directory, below);
    walk(w, &path, 0);
}

/* One file or folder itself. */
static void look_at_one(const struct walk *w, const char *directory, const char *name)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    struct stat st;

    buf_addf(&path, "%s/%s", directory, name);
    if (lstat(buf_text(&path), &st) == 0)
        look_at(w, buf_text(&path), &st);
}

static void check_setgid(struct instance *i, const char *name)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    struct stat st;

    buf_addf(&path, "%s/%s", i->params->command_directory, name);
    if (stat(buf_text(&path), &st) != 0)
        return;
    if (st.st_gid != i->setgid_gid)
        say_warning(i, "not owned by group %s: %s", i->params->setgid_group, buf_text(&path));
    if ((st.st_mode & 02111) != 02111)
        say_warning(i, "not set-gid or not owner+group+world executable: %s", buf_text(&path));
}

/* Copies of system files that services in a chroot read. */
static void check_chroot_copies(struct instance *i)
{
    DIR *dir = opendir("etc");
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        AUTO_BUF struct buf copy = BUF_INIT(PATH_MAX);
        AUTO_BUF struct buf original = BUF_INIT(PATH_MAX);
        AUTO_BUF struct buf ours = BUF_INIT(COMPARED_MAX_BYTES);
        AUTO_BUF struct buf theirs = BUF_INIT(COMPARED_MAX_BYTES);
        struct err ignored;
        struct stat st;

        buf_addf(&copy, "%s/etc/%s", i->params->queue_directory, entry->d_name);
        buf_addf(&original, "/etc/%s", entry->d_name);
        if (stat(buf_text(&copy), &st) == 0 && S_ISREG(st.st_mode) && file_read_path(buf_text(&copy), &ours, &ignored) &&
            file_read_path(buf_text(&original), &theirs, &ignored) && !slice_eq(buf_slice(&ours), buf_slice(&theirs)))
            say_warning(i, "%s and %s differ", buf_text(&copy), buf_text(&original));
    }
    if (dir != NULL)
        (void)closedir(dir);
}

static void check_damaged(struct instance *i)
{
    DIR *dir = opendir("corrupt");
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            say_warning(i, "damaged message: corrupt/%s", entry->d_name);
    if (dir != NULL)
        (void)closedir(dir);
}

void check_warn(struct instance *i)
{
    const struct params *p = i->params;
    const char *mail_owner = i->rootless ? "the user" : p->mail_owner;
    struct walk root = {i, i->rootless ? getuid() : 0, i->rootless ? "the user" : "root", true, false};
    struct walk config = root, mail = {i, i->owner_uid, mail_owner, true, false}, queue = mail;

    config.check_links = !i->rootless;
    queue.check_mode = false;
    look_at_one(&root, p->queue_directory, ".");
    look_at_one(&root, p->queue_directory, "pid");
    walk_from(&config, p->config_directory, ".");
    if (!i->rootless) {
        walk_from(&root, p->shlib_directory, ".");
        walk_from(&root, p->daemon_directory, ".");
    }
    walk_from(&mail, p->data_directory, ".");
    for (size_t n = 0; n < COUNT_OF(folders); n++)
        if (folders[n].owner != FOR_ROOT)
            look_at_one(&queue, p->queue_directory, folders[n].name);
    walk_from(&queue, p->queue_directory, "corrupt");
    walk_from(&queue, p->queue_directory, "saved");
    if (!i->rootless) {
        check_setgid(i, "postqueue");
        check_setgid(i, "postdrop");
        check_chroot_copies(i);
    }
    check_damaged(i);
}
