#include "route/qmgr/backoff.h"

int64_t backoff_delay(const struct backoff *b, int64_t age_us, uint32_t random)
{
    int64_t delay = age_us, most_jitter;

    if (delay > b->maximal_us)
        delay = b->maximal_us;
    if (delay < b->minimal_us)
        delay = b->minimal_us;
    if (delay < 0)
        return 0;
    most_jitter = delay / 100 * b->jitter_percent;
    return most_jitter > 0 ? delay + (int64_t)random % (most_jitter + 1) : delay;
}
