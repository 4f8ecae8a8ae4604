/* commands/postfix/instance.h - the instance that postfix(1) acts on, and what its parts share.
 *
 * There is one per process.  The working directory is the queue directory once instance_open() has returned. */
#ifndef COMMANDS_POSTFIX_INSTANCE_H
#define COMMANDS_POSTFIX_INSTANCE_H

#include <sys/types.h>

#include "core/log/log.h"
#include "mail/params/params.h"

struct instance {
    struct params *params;
    struct log *log;
    int maillog_fd; /* the file lines go to while postlogd is down, or -1: all go to LOG */
    bool rootless;  /* not root: all is owned by, and runs as, OWNER_UID */
    uid_t owner_uid; /* of mail_owner; rootless: our own */
    gid_t owner_gid;
    gid_t setgid_gid; /* of setgid_group; rootless: our own */
};

/* Reads the configuration, checks who we are, goes to the queue directory, and makes the environment for what is run from
 * here.  What is wrong is logged and ends the process with status 1. */
void instance_open(struct instance *i, const char *config_directory);

/* One line, to the log and, from a terminal, to stderr. */
void say(struct instance *i, const char *format, ...) PRINTF_LIKE(2, 3);
void say_warning(struct instance *i, const char *format, ...) PRINTF_LIKE(2, 3);
/* Logs "fatal: ..." and returns 1, the exit status. */
int say_fatal(struct instance *i, const char *format, ...) PRINTF_LIKE(2, 3);

/* Runs DIRECTORY/PROGRAM with ARGV (NULL-terminated, with the program name) and waits.  Its exit status; 127 when it could
 * not be run, 128 + signal when it was killed. */
int run_program(struct instance *i, const char *directory, char *const argv[]);
/* The same without waiting for it; it has low priority, and what it prints is lost. */
void run_in_background(struct instance *i, const char *directory, char *const argv[]);
/* In the place of this process; returns only on failure. */
int become_program(struct instance *i, const char *directory, char *const argv[]);

/* ---- owners.c ---- */
/* Fills owner_uid, owner_gid and setgid_gid.  False: they cannot be used, which has been said. */
bool owners_find(struct instance *i);

/* ---- check.c ---- */
/* Is master.cf well-formed?  False: it has been said where it is not. */
bool check_rows(struct instance *i);
/* Makes what is missing of the queue directory's folders.  False: the start must not go on. */
bool check_folders(struct instance *i);
/* Runs postsuper with ARGUMENT (NULL: none), if there is such a program.  False: it failed. */
bool postsuper_run(struct instance *i, const char *argument);
/* The same in the background. */
void postsuper_later(struct instance *i, const char *argument);
/* Logs a warning for each file whose owner, mode or place invites trouble; DEEP: also of each message. */
void check_warn(struct instance *i, bool deep);

/* The commands.  They return the exit status. */
int control_start(struct instance *i, bool quick);
int control_start_foreground(struct instance *i);
int control_stop(struct instance *i);
int control_quick_stop(struct instance *i);
int control_abort(struct instance *i);
int control_reload(struct instance *i);
int control_flush(struct instance *i);
int control_status(struct instance *i);
int control_check(struct instance *i);
int control_logrotate(struct instance *i);

#endif
