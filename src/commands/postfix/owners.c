/* Who the system belongs to: mail_owner, setgid_group and default_privs must be there, have no rights of root, and be apart
 * from each other, else a delivery to a program could touch the queue. */
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "commands/postfix/instance.h"

static bool find_user(struct instance *i, const char *parameter, const char *name, uid_t *uid, gid_t *gid)
{
    const char *etc = i->params->config_directory;
    const struct passwd *user = getpwnam(name);

    if (user == NULL)
        say_fatal(i, "file %s/main.cf: parameter %s: unknown user name value: %s", etc, parameter, name);
    else if (user->pw_uid == 0)
        say_fatal(i, "file %s/main.cf: parameter %s: user %s has privileged user ID", etc, parameter, name);
    else if (user->pw_gid == 0)
        say_fatal(i, "file %s/main.cf: parameter %s: user %s has privileged group ID", etc, parameter, name);
    if (user == NULL || user->pw_uid == 0 || user->pw_gid == 0)
        return false;
    *uid = user->pw_uid;
    *gid = user->pw_gid;
    return true;
}

static bool find_group(struct instance *i, const char *name)
{
    const char *etc = i->params->config_directory;
    const struct group *group = getgrnam(name);

    if (group == NULL)
        say_fatal(i, "file %s/main.cf: parameter setgid_group: unknown group name: %s", etc, name);
    else if (group->gr_gid == 0)
        say_fatal(i, "file %s/main.cf: parameter setgid_group: group %s has privileged group ID", etc, name);
    if (group == NULL || group->gr_gid == 0)
        return false;
    i->setgid_gid = group->gr_gid;
    return true;
}

/* The group of USER, whom PARAMETER names, is not the one that lets others submit. */
static bool is_apart(struct instance *i, const char *parameter, const char *user, gid_t gid)
{
    const struct params *p = i->params;

    return gid != i->setgid_gid ||
           say_fatal(i, "file %s/main.cf: parameters %s and setgid_group: user %s and group %s have the same group ID: %ld",
                     p->config_directory, parameter, user, p->setgid_group, (long)gid) == 0;
}

bool owners_find(struct instance *i)
{
    const struct params *p = i->params;
    uid_t uid;
    gid_t gid;

    if (i->rootless) {
        i->owner_uid = getuid();
        i->owner_gid = i->setgid_gid = getgid();
        return true;
    }
    if (!find_user(i, "mail_owner", p->mail_owner, &i->owner_uid, &i->owner_gid) ||
        !find_user(i, "default_privs", p->default_privs, &uid, &gid) || !find_group(i, p->setgid_group))
        return false;
    if (uid == i->owner_uid)
        return say_fatal(i, "file %s/main.cf: parameters default_privs and mail_owner specify the same user %s",
                         p->config_directory, p->default_privs) == 0;
    return is_apart(i, "default_privs", p->default_privs, gid) && is_apart(i, "mail_owner", p->mail_owner, i->owner_gid);
}
