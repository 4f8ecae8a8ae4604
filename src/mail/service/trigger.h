/* mail/service/trigger.h - waking another service: bytes to its FIFO or socket (ipc.md section 6).
 *
 * The type is found by stat().  A socket is connected, BYTES and then one NUL are written as two writes; a FIFO is opened
 * O_WRONLY|O_NONBLOCK and gets BYTES alone.  Failure is silent but for a failed stat, which *ERR reports. */
#ifndef MAIL_SERVICE_TRIGGER_H
#define MAIL_SERVICE_TRIGGER_H

#include "core/base/err.h"
#include "core/base/slice.h"

/* PATH relative to the queue directory: "public/pickup".  Never blocks; for commands and daemons alike.  True also when
 * nobody listens. */
MUST_CHECK bool trigger_send(const char *path, slice bytes, struct err *err);
/* The same, but a connection is left open until the woken service closes it, and returned.  -1: none is needed or possible. */
int trigger_begin(const char *path, slice bytes, struct err *err);
/* Inside a daemon: triggers of the same kind are coalesced: at most one connection at a time, a request that comes while
 * one is under way is remembered once.  Does not suspend.  The end of a connection is looked for only when the next
 * request comes, so that it wakes nobody. */
void trigger_later(const char *path, slice bytes);

#endif
