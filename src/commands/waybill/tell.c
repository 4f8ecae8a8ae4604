#include <stdio.h>
#include <sys/stat.h>

#include "commands/waybill/init.h"
#include "mail/params/params.h"

static void tell_accounts(const struct instance *in)
{
    if (in->rootless) {
        (void)printf("  runs without root: all of it is, and runs as, %s; it needs no other user and no group\n", in->owner);
        (void)printf("  only %s can submit with sendmail, and local delivery is for %s alone\n", in->owner, in->owner);
        return;
    }
    (void)printf("  runs as root, its daemons as user %s (mail_owner, %s)\n", in->owner, in->made_owner ? "created" : "was there");
    (void)printf("  submission and listing by users go through group %s (setgid_group, %s)\n", in->drop_group,
                 in->made_group ? "created" : "was there");
}

/* The rights of the folders, as they are. */
static void tell_folders(const struct instance *in)
{
    (void)printf("  folders:\n");
    for (size_t i = 0; i < init_folder_count; i++) {
        const struct init_folder *f = &init_folders[i];

        (void)printf("    %-6s %04o  %-8s  %s\n", f->name, (unsigned)init_folder_mode(in, f), f->owned || in->rootless ? in->owner : "root",
                     f->purpose);
    }
}

static bool is_set_gid(const struct instance *in, const char *program)
{
    char path[sizeof in->sbin + 32];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/%s", in->sbin, program);
    return stat(path, &st) == 0 && st.st_gid == in->drop_gid && (st.st_mode & 02111) == 02111;
}

/* What lets users other than root submit, and list the queue, here. */
static void tell_needs(const struct instance *in)
{
    char etc[INIT_DIRECTORY_MOST + 8];
    bool listed, set_gid = is_set_gid(in, "postdrop") && is_set_gid(in, "postqueue");

    (void)snprintf(etc, sizeof etc, "%s/etc", in->directory);
    if (in->rootless)
        return;
    listed = params_directory_is_listed(slice_text(etc));
    if (listed && set_gid)
        (void)printf("  other users can use it: %s is in alternate_config_directories, postdrop and postqueue are set-gid\n", etc);
    else
        (void)printf("  before other users can use it (sendmail -C %s), root has to do this:\n", etc);
    if (!listed)
        (void)printf("    add %s to alternate_config_directories in /etc/postfix/main.cf\n", etc);
    if (!set_gid)
        (void)printf("    cd %s && chgrp %s postdrop postqueue && chmod 2755 postdrop postqueue\n", in->sbin, in->drop_group);
}

void tell(const struct instance *in)
{
    (void)printf("made a private instance in %s\n", in->directory);
    tell_accounts(in);
    tell_folders(in);
    tell_needs(in);
    if (in->smtp_port < 1024 && in->rootless)
        (void)printf("  port %d is below 1024, where only root may listen\n", in->smtp_port);
    (void)printf("  start:   %s/postfix -c %s/etc start\n", in->sbin, in->directory);
    (void)printf("  send:    %s/sendmail -C %s/etc USER@%s, or SMTP to 127.0.0.1 port %d\n", in->sbin, in->directory, in->domain,
                 in->smtp_port);
    (void)printf("  mail:    %s/mail/USER/new/    log: %s/log/mail.log\n", in->directory, in->directory);
    (void)printf("  stop:    %s/postfix -c %s/etc stop\n", in->sbin, in->directory);
}
