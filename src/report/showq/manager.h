/* report/showq/manager.h - has the queue manager tell what waits in deferred/ and hold/ (mail/proto/qmgr.h).
 *
 * What suspends takes a deadline.  Nothing that goes wrong is told to anybody: the files are there too. */
#ifndef REPORT_SHOWQ_MANAGER_H
#define REPORT_SHOWQ_MANAGER_H

#include "core/io/stream.h"
#include "core/base/arena.h"

struct manager {
    struct stream *s; /* NULL: there is no queue manager that tells */
    struct arena arena;
    struct buf run, told; /* ids, each with its NUL */
};

/* Asks for all.  M is for manager_done in any case. */
void manager_ask(struct manager *m);
void manager_done(struct manager *m);

enum manager_got {
    MANAGER_RUN,    /* m->run has whole messages in showq's form */
    MANAGER_FILE,   /* *QUEUE and *ID are of one that has to be read from its file; on loan until the next call */
    MANAGER_END,    /* that was all */
    MANAGER_FAILED, /* there may be more: whatever is not in m->told */
};
MUST_CHECK enum manager_got manager_next(struct manager *m, deadline by, slice *queue, slice *id);

#endif
