/* mail/queue/commit_pace.h - is it well to flush files together?  Pure.
 *
 * What others write to the file system goes out with it, and then it may take long; so may any flush, now and then.  So three in a
 * row that take too long, or one that fails, let each file go on its own for a minute; then one that takes too long is enough. */
#ifndef MAIL_QUEUE_COMMIT_PACE_H
#define MAIL_QUEUE_COMMIT_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct commit_pace {
    int64_t usual_us, alone_until_us;
    unsigned slow; /* in a row */
};

/* A flush of several files ended at NOW_US. */
void commit_pace_took(struct commit_pace *p, int64_t us, int64_t now_us);
void commit_pace_failed(struct commit_pace *p, int64_t now_us);
bool commit_pace_allows(const struct commit_pace *p, int64_t now_us);

#endif
