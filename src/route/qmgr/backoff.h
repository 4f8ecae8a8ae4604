/* route/qmgr/backoff.h - when to try a message again.  Pure. */
#ifndef ROUTE_QMGR_BACKOFF_H
#define ROUTE_QMGR_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t minimal_us, maximal_us;
    int jitter_percent; /* up to so much is added, so that what failed together does not come back together */
};
/* For a message AGE_US old; RANDOM any number.  At least 0. */
int64_t backoff_delay(const struct backoff *b, int64_t age_us, uint32_t random);

#endif
