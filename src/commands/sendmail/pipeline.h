/* commands/sendmail/pipeline.h - records on their way to postdrop(1), a child at the other end of a socket pair.
 *
 * Blocking.  What goes wrong ends the process with a message and status 75. */
#ifndef COMMANDS_SENDMAIL_PIPELINE_H
#define COMMANDS_SENDMAIL_PIPELINE_H

#include <sys/types.h>

#include "core/base/attributes.h"
#include "core/base/buf.h"
#include "mail/params/params.h"

struct pipeline {
    int fd;
    pid_t pid;
    struct buf out; /* not yet written */
    struct buf in;  /* read and not yet used */
    char id[128];
    const char *sender; /* for messages */
};

/* Starts postdrop and waits until it has made its file. */
void pipeline_open(struct pipeline *d, const struct params *p, const char *sender);
void pipeline_put(struct pipeline *d, int type, slice data);
void pipeline_putf(struct pipeline *d, int type, const char *format, ...) PRINTF_LIKE(3, 4);
/* Returns when the message is safe. */
void pipeline_close(struct pipeline *d);
/* "WHAT", or that postdrop was not to be heard. */
NORETURN void pipeline_failed(const struct pipeline *d, const char *what);

#endif
