#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands/waybill/init.h"

extern char **environ;

/* posix_spawnp() does not change its arguments, though its type does not say so. */
static bool run(const char *const argv[], struct err *err)
{
    pid_t pid;
    int status, code = posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ);

    if (code != 0)
        return err_set(err, ERR_SYS, "run %s: %s", argv[0], strerror(code));
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, ERR_SYS, "%s failed", argv[0]);
    return true;
}

static bool make_group(const char *name, struct err *err)
{
    const char *const argv[] = {"groupadd", "--system", name, NULL};

    return run(argv, err);
}

static bool make_user(const char *name, struct err *err)
{
    const char *const argv[] = {"useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/var/spool/postfix",
                          "--shell", "/usr/sbin/nologin", name, NULL};

    return run(argv, err);
}

static bool as_ordinary_user(struct instance *in, struct err *err)
{
    const struct passwd *me = getpwuid(geteuid());
    const struct group *my_group;

    if (me == NULL)
        return err_set(err, ERR_CONFIG, "user id %ld has no name", (long)geteuid());
    (void)snprintf(in->owner, sizeof in->owner, "%s", me->pw_name);
    in->uid = me->pw_uid;
    in->gid = in->drop_gid = getegid();
    my_group = getgrgid(in->gid);
    (void)snprintf(in->drop_group, sizeof in->drop_group, "%s", my_group == NULL ? "" : my_group->gr_name);
    return true;
}

bool owners_find(struct instance *in, struct err *err)
{
    const struct passwd *owner;
    const struct group *drop;

    in->rootless = geteuid() != 0;
    if (in->rootless)
        return as_ordinary_user(in, err);
    (void)snprintf(in->owner, sizeof in->owner, "postfix");
    (void)snprintf(in->drop_group, sizeof in->drop_group, "postdrop");
    in->made_owner = getpwnam(in->owner) == NULL;
    in->made_group = getgrnam(in->drop_group) == NULL;
    if ((in->made_owner && !make_user(in->owner, err)) || (in->made_group && !make_group(in->drop_group, err)))
        return false;
    owner = getpwnam(in->owner);
    if (owner == NULL)
        return err_set(err, ERR_CONFIG, "user %s is missing", in->owner);
    in->uid = owner->pw_uid;
    in->gid = owner->pw_gid;
    drop = getgrnam(in->drop_group);
    if (drop == NULL)
        return err_set(err, ERR_CONFIG, "group %s is missing", in->drop_group);
    in->drop_gid = drop->gr_gid;
    return true;
}

static bool may_pass(const struct instance *in, const struct stat *st)
{
    if (st->st_uid == in->uid)
        return (st->st_mode & S_IXUSR) != 0;
    return (st->st_mode & S_IXOTH) != 0 || (st->st_gid == in->gid && (st->st_mode & S_IXGRP) != 0);
}

bool owners_can_reach(const struct instance *in, struct err *err)
{
    char path[512];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s", in->directory);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (stat(path, &st) != 0)
            return err_sys(err, "examine %s", path);
        if (!in->rootless && !may_pass(in, &st))
            return err_set(err, ERR_CONFIG, "user %s cannot pass through %s: choose another place, or `chmod a+x %s`", in->owner,
                           path, path);
        *slash = '/';
    }
    return true;
}
