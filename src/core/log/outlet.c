#include "core/log/outlet.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/clock.h"

enum { KEPT_BYTES_MOST = 256 * 1024 };

/* Without a line taken for so long, a reader counts as dead. */
#define DEAD_US (1 * 1000000L)
/* However slowly a reader takes them, a loop turn comes to its end: half of the shortest usual watchdog. */
#define TURN_US (5 * 1000000L)

/* ---- the socket ---- */

void outlet_init(struct outlet *o)
{
    *o = (struct outlet){.fd = -1};
    buf_init(&o->kept, KEPT_BYTES_MOST);
}

static bool connect_socket(struct outlet *o)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(o->path) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, o->path, strlen(o->path));
    o->connected = connect(o->fd, (struct sockaddr *)&address, sizeof address) == 0;
    return o->connected;
}

void outlet_open(struct outlet *o)
{
    o->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (o->fd >= 0)
        (void)connect_socket(o);
}

void outlet_close(struct outlet *o)
{
    if (o->fd >= 0)
        (void)close(o->fd);
    o->fd = -1;
    o->connected = false;
    o->stalled_us = o->refused_since_us = 0;
}

enum sent { SENT, SENT_NO_ROOM, SENT_NOBODY, SENT_NO_SOCKET };

static enum sent try_send(struct outlet *o, slice line)
{
    if (send(o->fd, line.p, line.n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
        o->stalled_us = o->refused_since_us = 0;
        return SENT;
    }
    if (errno == ENOTSOCK || errno == EBADF)
        return SENT_NO_SOCKET;
    return errno == EAGAIN || errno == ENOBUFS ? SENT_NO_ROOM : SENT_NOBODY;
}

static enum sent send_now(struct outlet *o, slice line)
{
    enum sent sent;

    if (o->fd < 0)
        outlet_open(o);
    if (o->fd < 0 || (!o->connected && !connect_socket(o)))
        return SENT_NOBODY;
    sent = try_send(o, line);
    /* The receiver was restarted: its old socket is gone. */
    if (sent == SENT_NOBODY && connect_socket(o))
        sent = try_send(o, line);
    /* A child has put something else in the place of the descriptor: that is not ours to close. */
    if (sent == SENT_NO_SOCKET) {
        outlet_open(o);
        sent = o->connected ? try_send(o, line) : SENT_NOBODY;
    }
    return sent;
}

/* ---- lines that are kept, and waiting ---- */

/* The one at AT of what is kept. */
static slice kept_line(const struct outlet *o, size_t at)
{
    size_t n;

    memcpy(&n, o->kept.p + at, sizeof n);
    return slice_of(o->kept.p + at + sizeof n, n);
}

/* SENT: none is left. */
static enum sent send_kept(struct outlet *o)
{
    enum sent sent = SENT;
    size_t at = 0;

    while (at < o->kept.n) {
        slice line = kept_line(o, at);

        sent = send_now(o, line);
        if (sent != SENT)
            break;
        at += sizeof line.n + line.n;
    }
    if (sent != SENT && o->refused_since_us == 0)
        o->refused_since_us = clock_monotonic_us();
    buf_consume(&o->kept, at);
    if (o->kept.n == 0)
        buf_done(&o->kept);
    return sent;
}

static bool keep(struct outlet *o, slice line)
{
    if (!o->keeps || o->kept.max - o->kept.n < sizeof line.n + line.n)
        return false;
    return buf_add(&o->kept, slice_of(&line.n, sizeof line.n)) && buf_add(&o->kept, line);
}

bool outlet_is_dead(const struct outlet *o)
{
    return o->stalled_us >= DEAD_US;
}

bool outlet_is_silent(const struct outlet *o)
{
    return o->refused_since_us != 0 && clock_monotonic_us() - o->refused_since_us >= DEAD_US;
}

/* Until the reader has room, or a signal comes.  False, at once: it has been waited for long enough. */
static bool wait_for_reader(struct outlet *o)
{
    struct pollfd room = {.fd = o->fd, .events = POLLOUT};
    int64_t from = clock_monotonic_us(), spent;

    if (outlet_is_dead(o) || o->turn_us >= TURN_US)
        return false;
    (void)poll(&room, 1, (int)((DEAD_US - o->stalled_us) / 1000 + 1));
    spent = clock_monotonic_us() - from;
    o->stalled_us += spent;
    o->turn_us += o->keeps ? spent : 0;
    return true;
}

static bool send_or_keep(struct outlet *o, slice line)
{
    for (;;) {
        enum sent sent = send_kept(o);

        if (sent == SENT)
            sent = send_now(o, line);
        if (sent == SENT)
            return true;
        if (sent != SENT_NO_ROOM && o->kept.n == 0)
            return false;
        if (keep(o, line))
            return true;
        if (sent != SENT_NO_ROOM || !wait_for_reader(o))
            return false;
    }
}

bool outlet_send(struct outlet *o, slice line)
{
    bool sent;

    if (o->busy)
        return send_now(o, line) == SENT;
    o->busy = true;
    sent = send_or_keep(o, line);
    o->busy = false;
    return sent;
}

bool outlet_flush(struct outlet *o)
{
    o->turn_us = 0;
    return send_kept(o) == SENT;
}

unsigned long outlet_finish(struct outlet *o)
{
    unsigned long dropped = 0;

    o->stalled_us = o->turn_us = 0;
    while (send_kept(o) == SENT_NO_ROOM && wait_for_reader(o))
        continue;
    for (size_t at = 0; at < o->kept.n; at += sizeof(size_t) + kept_line(o, at).n)
        dropped++;
    outlet_disown(o);
    return dropped;
}

void outlet_disown(struct outlet *o)
{
    buf_done(&o->kept);
    o->keeps = false;
}
