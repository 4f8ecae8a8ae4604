#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/postfix/instance.h"
#include "commands/postfix/look.h"
#include "core/conf/master_cf.h"

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

bool check_folders(struct instance *i)
{
    for (size_t n = 0; n < COUNT_OF(folders); n++)
        if (!make_folder(i, folders[n].name, i->rootless ? folders[n].rootless_mode : folders[n].mode, folders[n].owner))
            return false;
    return make_folder(i, i->params->data_directory, 0700, FOR_MAIL);
}

bool postsuper_run(struct instance *i, const char *argument)
{
    char *argv[] = {(char *)"postsuper", (char *)argument, NULL};

    return !have_program(i->params->command_directory, argv[0]) ||
           run_program(i, i->params->command_directory, argv) == 0;
}

void postsuper_later(struct instance *i, const char *argument)
{
    char *argv[] = {(char *)"postsuper", (char *)argument, NULL};

    if (have_program(i->params->command_directory, argv[0]))
        run_in_background(i, i->params->command_directory, argv);
}

bool check_rows(struct instance *i)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    struct master_conf rows;
    struct err err;

    buf_addf(&path, "%s/master.cf", i->params->config_directory);
    if (!master_conf_read(&rows, buf_text(&path), &err))
        return say_fatal(i, "%s", err.text) == 0;
    master_conf_done(&rows);
    return true;
}

/* ---- warnings ---- */

static void check_setgid(struct instance *i, const char *name)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    struct stat st;

    buf_addf(&path, "%s/%s", i->params->command_directory, name);
    look_at_group(i, i->params->command_directory, name, i->setgid_gid, i->params->setgid_group);
    if (stat(buf_text(&path), &st) == 0 && (st.st_mode & 02111) != 02111)
        say_warning(i, "not set-gid or not owner+group+world executable: %s", buf_text(&path));
}

/* What only root has: programs, set-gid commands, a chroot. */
static void check_shared(struct instance *i, const struct look *config)
{
    static const char *const copies[] = {"bin", "etc", "lib", "sbin", "usr"};
    const struct params *p = i->params;

    look_below(config, p->shlib_directory, ".");
    look_below(config, p->daemon_directory, ".");
    check_setgid(i, "postqueue");
    check_setgid(i, "postdrop");
    look_at_group(i, p->queue_directory, "maildrop", i->setgid_gid, p->setgid_group);
    look_at_group(i, p->queue_directory, "public", i->setgid_gid, p->setgid_group);
    for (size_t n = 0; n < COUNT_OF(copies); n++)
        look_at_copies(i, copies[n]);
    look_for_other_sendmail(i);
}

/* maildrop belongs to others, too: what is in it is not looked at.  A long queue takes long. */
static void check_queue(const struct look *queue, bool deep)
{
    const char *directory = queue->i->params->queue_directory;

    for (size_t n = 0; n < COUNT_OF(folders); n++)
        if (deep && folders[n].owner != FOR_ROOT && strcmp(folders[n].name, "maildrop") != 0)
            look_below(queue, directory, folders[n].name);
        else if (folders[n].owner != FOR_ROOT)
            look_at_one(queue, directory, folders[n].name);
}

void check_warn(struct instance *i, bool deep)
{
    const struct params *p = i->params;
    const char *root_name = i->rootless ? "the user" : "root", *mail_name = i->rootless ? "the user" : p->mail_owner;
    const struct look root = {.i = i, .owner = i->rootless ? getuid() : 0, .owner_name = root_name, .owners = true, .modes = true};
    struct look config = root, mail = root, queue;

    config.targets = config.links = !i->rootless;
    mail.owner = i->owner_uid;
    mail.owner_name = mail_name;
    queue = mail;
    queue.modes = false;
    queue.peers = true;
    look_at_one(&root, p->queue_directory, ".");
    look_at_one(&root, p->queue_directory, "pid");
    look_below(&config, p->config_directory, ".");
    look_below(&mail, p->data_directory, ".");
    check_queue(&queue, deep);
    if (!i->rootless)
        check_shared(i, &config);
    look_for_damaged(i);
}
