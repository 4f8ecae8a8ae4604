/* commands/waybill/init.h - `waybill init DIR`: a private instance of the mail system in one folder.
 *
 * DIR/etc main.cf, master.cf, aliases · DIR/spool the queue · DIR/data · DIR/log/mail.log · DIR/mail mailboxes. */
#ifndef COMMANDS_WAYBILL_INIT_H
#define COMMANDS_WAYBILL_INIT_H

#include <sys/types.h>

#include "core/base/err.h"

enum { INIT_DIRECTORY_MOST = 60 }; /* socket paths below it must fit into their addresses */

struct instance {
    char directory[INIT_DIRECTORY_MOST + 1]; /* absolute */
    int smtp_port;
    const char *domain;    /* hosted here as a virtual mailbox domain */
    const char *relayhost; /* "" : none */
    char hostname[300];
    char sbin[512], libexec[512]; /* where our programs are */
    bool rootless, made_owner, made_group;
    char owner[64], drop_group[64]; /* mail_owner, setgid_group */
    uid_t uid;
    gid_t gid, drop_gid;
};

/* Parses the arguments after "init" and does it; returns the exit status. */
int init_main(int argc, char **argv);

/* ---- folders.c ---- */
/* The folders of an instance. */
struct init_folder {
    const char *name;
    mode_t mode, rootless_mode;
    bool owned; /* by mail_owner; else by root.  Rootless: all are the user's. */
    const char *purpose;
};
extern const struct init_folder init_folders[];
extern const size_t init_folder_count;
mode_t init_folder_mode(const struct instance *in, const struct init_folder *f);
/* DIRECTORY, which must not be there or be empty, and its folders. */
MUST_CHECK bool init_make_folders(const struct instance *in, struct err *err);

/* ---- tell.c ---- */
/* Prints what was made, what it needs of the machine, and how to use it. */
void tell(const struct instance *in);

/* ---- owners.c ---- */
/* Finds mail_owner and setgid_group; as root creates what is missing, and says so. */
MUST_CHECK bool owners_find(struct instance *in, struct err *err);
/* Every folder above DIRECTORY must let mail_owner through. */
MUST_CHECK bool owners_can_reach(const struct instance *in, struct err *err);

#endif
