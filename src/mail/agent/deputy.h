/* mail/agent/deputy.h - the processes behind spawner.h: the spawner, and deputies, each of which is one user for good.
 *
 * The spawner takes orders from the agent, one packet each, and forks a deputy that gives up all else and then takes jobs
 * from the agent directly, over a stream socket of its own: a struct job_head and the job, with the content's descriptor
 * where there is one; the answer is the result and what belongs to it.  A deputy ends when the agent closes that socket;
 * and after its first job when that ran a command or as root. */
#ifndef MAIL_AGENT_DEPUTY_H
#define MAIL_AGENT_DEPUTY_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/attributes.h"
#include "mail/agent/spawner.h"

enum job_kind { JOB_MAILBOX, JOB_COMMAND, JOB_READ };

/* To the spawner, with the deputy's end of its socket. */
struct order {
    struct identity as;
    uint32_t commands; /* 1: for JOB_COMMAND, where set-id programs work; 0: for the others */
};

struct job_head {
    uint32_t kind; /* enum job_kind */
};

size_t job_bytes(enum job_kind kind);
size_t job_result_bytes(enum job_kind kind);
/* RESULT becomes that of a job which nobody began. */
void job_refuse(enum job_kind kind, const char *why, void *result);

/* What the spawner does, in its own process; SOCKET is a SOCK_SEQPACKET. */
NORETURN void deputy_spawner(int socket, bool rootless);

#endif
