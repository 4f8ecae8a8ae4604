/* core/base/clock.h - time as int64_t microseconds.  Due times use the wall clock, deadlines the monotonic one. */
#ifndef CORE_BASE_CLOCK_H
#define CORE_BASE_CLOCK_H

#include <stdint.h>
#include <sys/time.h>

#define MICROS(n) ((int64_t)(n))
#define MILLIS(n) ((int64_t)(n)*1000)
#define SECONDS(n) ((int64_t)(n)*1000000)

int64_t clock_wall_us(void);      /* since 1970 */
int64_t clock_monotonic_us(void); /* since some start; never jumps */

static inline struct timeval us_to_timeval(int64_t us)
{
    return (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
}

static inline int64_t us_from_timeval(struct timeval tv)
{
    return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

#endif
