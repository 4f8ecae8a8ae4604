/* mail/agent/spawner.h - processes that act as users: deputies, each of which gives up all else for good.
 *
 * The agent's main process keeps parsing and looking up; it forks the spawner once, before it has threads, tasks or
 * sessions (in pre_start), and that forks deputies.  Each call below hands one job to a deputy of that user and group.  One
 * that did its job well waits two seconds for the next, up to 100 jobs, and up to 16 of them wait; a command and what is
 * done as root have a deputy to themselves.  A deputy or a spawner that dies without an answer is trouble on the way: the
 * recipient is deferred.  When the spawner has died new deputies cannot be had: spawner_watch() tells, so that the agent
 * can end and master starts another. */
#ifndef MAIL_AGENT_SPAWNER_H
#define MAIL_AGENT_SPAWNER_H

#include "core/run/task.h"
#include "mail/agent/command.h"
#include "mail/agent/mailbox.h"
#include "mail/agent/user_file.h"

struct spawner;

/* Forks it.  With ROOTLESS, jobs run as this process's own user and others are refused.  NULL: *ERR. */
struct spawner *spawner_start(bool rootless, struct err *err);
/* Calls GONE(why) once when it has died; from start() on. */
MUST_CHECK bool spawner_watch(struct spawner *s, void (*gone)(const char *why), struct err *err);

/* Runs JOB; suspends until it has an answer.  Jobs for one mailbox file run one after the other.  *OUT is always set:
 * trouble on the way is a deferral. */
void spawner_deliver(struct spawner *s, const struct mailbox_job *job, int content_fd, deadline by,
                     struct mailbox_result *out);

/* Who a command or a reader shall be. */
struct identity {
    uid_t uid;
    gid_t gid;
};

/* Runs a command.  Trouble on the way is COMMAND_NOT_BEGUN.  Unlike the others it may get rights by set-id programs. */
void spawner_command(struct spawner *s, struct identity as, const struct command_job *job, int content_fd, deadline by,
                     struct command_result *out);

/* Reads a user's list into CONTENT (cleared first; its maximum at least USER_FILE_BYTES_MOST).  Trouble on the way is
 * USER_FILE_FAILED. */
void spawner_read(struct spawner *s, struct identity as, const struct user_file_job *job, deadline by,
                  struct user_file_result *out, struct buf *content);

#endif
