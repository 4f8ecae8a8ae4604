/* mail/agent/spawner.h - a small process that acts as users: one child per delivery, which gives up all else for good.
 *
 * The agent's main process keeps parsing and looking up; it forks the spawner once, before it has threads, tasks or
 * sessions (in pre_start).  spawner_deliver() hands it one mailbox job with the queue file's descriptor; the spawner
 * forks a child that becomes the user, delivers and answers.  When the child dies without an answer the recipient is
 * deferred. */
#ifndef MAIL_AGENT_SPAWNER_H
#define MAIL_AGENT_SPAWNER_H

#include "core/run/task.h"
#include "mail/agent/mailbox.h"

struct spawner;

/* Forks it.  With ROOTLESS, jobs run as this process's own user and others are refused.  NULL: *ERR. */
struct spawner *spawner_start(bool rootless, struct err *err);
/* Runs JOB; suspends until it has an answer.  Jobs for one mailbox file run one after the other.  *OUT is always set:
 * trouble on the way is a deferral. */
void spawner_deliver(struct spawner *s, const struct mailbox_job *job, int content_fd, deadline by,
                     struct mailbox_result *out);

#endif
