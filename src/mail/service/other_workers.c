#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "mail/events/events.h"
#include "mail/service/inner.h"

enum { TRIGGER_BYTES = 1024, TRIGGER_BURST = 64, PACKET_BYTES = 65536, PACKET_BURST = 64 };
#define TRIGGER_US SECONDS(10)

/* ---- triggers ---- */

/* Reads what the one who woke us has to say, appending to TO. */
static size_t read_trigger(int fd, char *to, size_t room, deadline by)
{
    struct err err;

    for (;;) {
        ssize_t n = read(fd, to, room);

        if (n >= 0)
            return (size_t)n;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || !task_wait_fd(fd, FD_READ, by, &err))
            return 0;
    }
}

/* One after the other, all that wait now, so that a burst is one trigger. */
static size_t read_sockets(struct listener *l, int first, char *to, size_t room, int *held, int *held_count)
{
    size_t got = 0;
    int fd = first;

    do {
        held[(*held_count)++] = fd;
        got += read_trigger(fd, to + got, room - got, deadline_in(TRIGGER_US));
        if (got == room || *held_count == TRIGGER_BURST)
            break;
        fd = socket_accept(l->fd, NULL);
    } while (fd >= 0);
    return got;
}

/* Once master knows that a process works which stays for ever, there is nothing that it would do on hearing more. */
static void tell_master(struct worker *w)
{
    if (w->greeted && (w->service->flags & SERVICE_NEVER_IDLES) != 0)
        return;
    w->greeted = true;
    channel_taken(w);
}

static void serve_trigger(struct listener *l, bool is_fifo)
{
    struct worker *w = l->worker;
    char request[TRIGGER_BYTES];
    int held[TRIGGER_BURST], held_count = 0, first = -1;
    size_t n;

    if (!is_fifo && (first = socket_accept(l->fd, NULL)) < 0) {
        listener_pause();
        return;
    }
    w->session_count++;
    w->used += USE;
    tell_master(w);
    if (is_fifo)
        n = read_trigger(l->fd, request, sizeof request, AT_ONCE);
    else
        n = read_sockets(l, first, request, sizeof request, held, &held_count);
    if (n > 0)
        w->service->trigger(slice_of(request, n));
    for (int i = 0; i < held_count; i++)
        fd_close(held[i]);
    worker_end(w);
}

void trigger_listener(void *arg)
{
    struct listener *l = arg;
    bool is_fifo = strcmp(l->worker->run.type, "fifo") == 0;
    int64_t pause_us = l->worker->service->trigger_pause_us;
    deadline next = AT_ONCE;
    struct err err;

    while (listener_wait(l)) {
        if (pause_us > 0) {
            if (!deadline_passed(next) && (!task_sleep(next, &err) || l->worker->draining))
                break; /* what waits is for the next process */
            next = deadline_in(pause_us);
        }
        serve_trigger(l, is_fifo);
    }
    free(l);
}

/* ---- datagrams ---- */

void datagram_listener(void *arg)
{
    struct listener *l = arg;
    struct worker *w = l->worker;
    char *packet = xmalloc(PACKET_BYTES);
    struct err err;

    while (listener_wait(l)) {
        ssize_t n = 0;

        worker_begin(w);
        for (int i = 0; i < PACKET_BURST && n >= 0; i++) {
            n = recv(l->fd, packet, PACKET_BYTES, MSG_DONTWAIT);
            if (n > 0)
                w->service->datagram(slice_of(packet, (size_t)n));
        }
        worker_end(w);
        if (n >= 0 && !task_yield(&err))
            break;
    }
    free(packet);
    free(l);
}
