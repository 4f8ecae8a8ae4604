#include "mail/queue/commit_pace.h"

#include "core/base/clock.h"

enum { SLOW_MOST = 3, LONGER_MOST = 5 };
/* Too long in any case; too long for what is usual, unless it is short. */
#define TOO_LONG_US MILLIS(250)
#define LONG_US MILLIS(50)
#define PAUSE_US SECONDS(60)

void commit_pace_failed(struct commit_pace *p, int64_t now_us)
{
    p->alone_until_us = now_us + PAUSE_US;
}

static bool is_slow(const struct commit_pace *p, int64_t us)
{
    return us > TOO_LONG_US || (us > LONG_US && p->usual_us > 0 && us > LONGER_MOST * p->usual_us);
}

void commit_pace_took(struct commit_pace *p, int64_t us, int64_t now_us)
{
    if (!commit_pace_allows(p, now_us)) /* it was under way already */
        return;
    if (!is_slow(p, us)) {
        p->usual_us = p->usual_us == 0 ? us : (7 * p->usual_us + us) / 8;
        p->slow = 0;
    } else if (++p->slow >= SLOW_MOST) {
        commit_pace_failed(p, now_us);
        p->usual_us = 0; /* what is usual now is learned anew */
    }
}

bool commit_pace_allows(const struct commit_pace *p, int64_t now_us)
{
    return now_us >= p->alone_until_us;
}
