#include <errno.h>
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

/* A master that reads "taken" before the other word has come starts another process for who waits: ours is spared that.
 * Postfix's drops a word that repeats what it knows, and takes a new process for available (ipc.md section 4). */
void channel_works(struct worker *w)
{
    if (!w->own_master)
        channel_taken(w);
    say(w, true);
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
