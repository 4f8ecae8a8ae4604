/* core/run/deadline.h - absolute points on the monotonic clock.  A function that takes one may suspend. */
#ifndef CORE_RUN_DEADLINE_H
#define CORE_RUN_DEADLINE_H

#include <stdbool.h>

#include "core/base/clock.h"

typedef struct deadline {
    int64_t at_us;
} deadline;

#define NEVER ((deadline){INT64_MAX})
/* Already passed: "take what is there, never wait". */
#define AT_ONCE ((deadline){0})

static inline deadline deadline_in(int64_t us)
{
    int64_t at;

    return __builtin_add_overflow(clock_monotonic_us(), us, &at) ? NEVER : (deadline){at};
}

static inline bool deadline_passed(deadline by)
{
    return by.at_us != INT64_MAX && by.at_us <= clock_monotonic_us();
}

static inline deadline deadline_sooner(deadline a, deadline b)
{
    return a.at_us < b.at_us ? a : b;
}

#endif
