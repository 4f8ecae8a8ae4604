/* mail/command/command.h - the life of a command that a person or another program runs.
 *
 * Belongs to the process: one command, one log, one set of parameters.  Nothing here suspends.  All failures are fatal: the
 * command ends with the status it gave to command_begin(), after a line on stderr and in the log.
 * Depends on: core/log, mail/params, mail/events. */
#ifndef MAIL_COMMAND_COMMAND_H
#define MAIL_COMMAND_COMMAND_H

#include "mail/params/params.h"

enum command_flags {
    COMMAND_QUIET_LOG = 1,     /* stderr only: postcat, which administrators run on copies of files */
    COMMAND_TERMINAL_ONLY = 2, /* stderr only when it is a terminal: postlog, whose lines are for the log */
    COMMAND_WHOLE_TAG = 4,     /* NAME stands before lines in the log as it is, without syslog_name */
};

/* When "--help" is all that was said: prints HELP on standard output and ends the process with 0.  Comes before
 * everything else, so that it needs no configuration and no rights. */
void command_help(int argc, char **argv, const char *help);

/* Makes sure that descriptors 0 to 2 are open, opens the log as the first free descriptor and sets up messages as "NAME: ..."
 * on stderr.  FATAL_STATUS: exit status of event_fatal(). */
void command_begin(const char *name, int fatal_status, unsigned flags);

/* Reads main.cf.  DIRECTORY: what -c or -C said, or NULL; it is put into MAIL_CONFIG for programs started from here.  A process
 * with more rights than its user takes only directories that the compiled-in main.cf lists.  Lives until exit. */
struct params *command_configure(const char *directory);

/* Makes the queue directory the working directory. */
void command_enter_queue(const struct params *p);

/* Reduces the environment to import_environment and a safe PATH, as for any program started with privileges or from sendmail. */
void command_clean_environment(const struct params *p);

/* Gives up root for good and becomes mail_owner, with only his own group, as whoever works in the queue does.  Nothing to do
 * for a user who is not root. */
void command_become_mail_owner(const struct params *p);

/* Fatal unless LIST (authorized_submit_users and its kin) allows the real user: "User NAME(UID) is not allowed to DO".
 * Knows names, !names, static:anyone, * and /file/names; other table types are fatal, too, since commands with privileges
 * open no tables. */
void command_require_user(slice list, const char *what);

#endif
