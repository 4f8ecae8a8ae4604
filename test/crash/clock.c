/* clock.so, preloaded: the wall clock is so many seconds ahead as the file /etc/clock says (an int64_t, looked at each time).
 *
 * The monotonic clock, and with it all waiting, goes on as it does when people, or a time server, set the time. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t ahead(void)
{
    static const int64_t *seconds;

    if (!seconds) {
        int fd = open("/etc/clock", O_RDONLY | O_CLOEXEC);
        void *there = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *seconds, PROT_READ, MAP_SHARED, fd, 0);

        if (fd >= 0)
            (void)close(fd);
        if (there == MAP_FAILED)
            return 0;
        seconds = there;
    }
    return *seconds;
}

/* Daemons cannot open it later. */
__attribute__((constructor)) static void open_clock(void)
{
    (void)ahead();
}

int clock_gettime(clockid_t clock, struct timespec *to)
{
    int result = (int)syscall(SYS_clock_gettime, clock, to);

    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        to->tv_sec += ahead();
    return result;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone)
{
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);

    (void)zone;
    *to = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return result;
}

time_t time(time_t *to)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (to)
        *to = now.tv_sec;
    return now.tv_sec;
}
