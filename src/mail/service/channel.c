#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/service/inner.h"

struct status_message {
    int pid;
    unsigned generation;
    int available;
};

static unsigned octal(const char *text)
{
    unsigned value = 0;

    for (; text != NULL && *text >= '0' && *text <= '7'; text++)
        value = value * 8 + (unsigned)(*text - '0');
    return value;
}

void channel_open(struct worker *w)
{
    int type = 0;
    socklen_t bytes = sizeof type;

    w->has_channel = true;
    w->generation = octal(getenv("GENERATION"));
    w->own_master = getsockopt(FD_STATUS, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_SEQPACKET;
}

static void say(struct worker *w, bool available)
{
    const struct status_message message = {(int)getpid(), w->generation, available};
    ssize_t n;

    w->taken = !available;
    if (!w->has_channel)
        return;
    do
        n = write(FD_STATUS, &message, sizeof message);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof message)
        return;
    w->has_channel = false; /* master is gone */
    service_drain(NULL);
}

void channel_taken(struct worker *w)
{
    if (!w->taken)
        say(w, false);
}

void channel_available(struct worker *w)
{
    if (w->taken)
        say(w, true);
}

void channel_watch(void *worker)
{
    struct worker *w = worker;
    struct err err;
    char unused[64];

    while (task_wait_fd(FD_STATUS, FD_READ, NEVER, &err)) {
        ssize_t n = recv(FD_STATUS, unused, sizeof unused, MSG_DONTWAIT);

        if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
            continue;
        w->has_channel = false;
        service_drain(NULL);
        return;
    }
}

/* ---- flow control ---- */

static bool has_pipe(void)
{
    return the_worker()->has_channel;
}

bool flow_take(unsigned tokens)
{
    char unused[256];

    if (!has_pipe())
        return true;
    while (tokens > 0) {
        size_t most = tokens < sizeof unused ? tokens : sizeof unused;
        ssize_t n = read(FD_FLOW_READ, unused, most);

        if (n <= 0)
            return n < 0 && errno != EAGAIN && errno != EINTR;
        tokens -= (unsigned)n;
    }
    return true;
}

void flow_put(unsigned tokens)
{
    static const char tokens_bytes[256];

    while (has_pipe() && tokens > 0) {
        size_t most = tokens < sizeof tokens_bytes ? tokens : sizeof tokens_bytes;
        ssize_t n = write(FD_FLOW_WRITE, tokens_bytes, most);

        if (n <= 0)
            return; /* full: more than anybody can use */
        tokens -= (unsigned)n;
    }
}

unsigned flow_count(void)
{
    int waiting = 0;

    if (!has_pipe() || ioctl(FD_FLOW_READ, FIONREAD, &waiting) != 0 || waiting < 0)
        return 0;
    return (unsigned)waiting;
}
