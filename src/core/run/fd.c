#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/run/loop.h"

enum { FIRST_SLOTS = 64 };

/* ---- the table: one slot per descriptor number; a slot moves when the table grows, so nobody keeps a pointer ---- */

static struct fd_slot *slot_of(struct loop *l, int fd)
{
    BUG_IF(fd < 0);
    if ((size_t)fd >= l->fd_count) {
        size_t count = l->fd_count == 0 ? FIRST_SLOTS : l->fd_count;

        while (count <= (size_t)fd)
            count *= 2;
        l->fds = xrealloc_array(l->fds, count, sizeof *l->fds);
        memset(l->fds + l->fd_count, 0, (count - l->fd_count) * sizeof *l->fds);
        l->fd_count = count;
    }
    return &l->fds[fd];
}

static bool watch(struct loop *l, int fd, uint32_t events, struct err *err)
{
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)fd};

    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    /* Left over from an earlier life of the number, whose open file lives on elsewhere. */
    if (errno == EEXIST && epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, &event) == 0 &&
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    return err_sys(err, "watch descriptor %d", fd);
}

void fd_event(struct loop *l, const struct epoll_event *event)
{
    uint32_t fd = event->data.u32, events = event->events;
    struct fd_slot *slot;

    if (fd >= l->fd_count)
        return;
    slot = &l->fds[fd];
    if (slot->mode == FD_CALLBACK) {
        slot->fn((int)fd, slot->arg);
        return;
    }
    if (slot->mode == FD_UNKNOWN)
        return;
    if (events & (EPOLLRDHUP | EPOLLHUP))
        slot->ended = true;
    if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        slot->ready[FD_READ] = true;
        if (slot->waiter[FD_READ] != NULL)
            task_wake(slot->waiter[FD_READ], WOKE_BY_EVENT);
    }
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
        slot->ready[FD_WRITE] = true;
        if (slot->waiter[FD_WRITE] != NULL)
            task_wake(slot->waiter[FD_WRITE], WOKE_BY_EVENT);
    }
}

bool fd_watch(int fd, void (*fn)(int fd, void *arg), void *arg, struct err *err)
{
    struct loop *l = loop_get();

    if (!watch(l, fd, EPOLLIN, err))
        return false;
    *slot_of(l, fd) = (struct fd_slot){.mode = FD_CALLBACK, .fn = fn, .arg = arg};
    return true;
}

void fd_free_all(struct loop *l)
{
    free(l->fds);
    free(l->listeners);
}

/* ---- ordinary descriptors ---- */

enum { EDGES = EPOLLIN | EPOLLRDHUP | EPOLLET };

/* Room for more is told only from the first wait for it on: a local socket tells it whenever its peer has read
 * something, and each time would wake this process for nothing. */
static bool know_fd(struct loop *l, int fd, enum fd_want want, struct err *err)
{
    bool room = want == FD_WRITE;

    if (!watch(l, fd, room ? EDGES | EPOLLOUT : EDGES, err)) {
        if (err->sys != EPERM)
            return false;
        *slot_of(l, fd) = (struct fd_slot){.mode = FD_ALWAYS_READY};
        return true;
    }
    *slot_of(l, fd) = (struct fd_slot){.mode = FD_EDGE, .tells_room = room};
    return true;
}

/* What holds already is told at once, as with a new watch. */
static bool watch_room(struct loop *l, int fd, struct err *err)
{
    struct epoll_event event = {.events = EDGES | EPOLLOUT, .data.u32 = (uint32_t)fd};

    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0)
        return err_sys(err, "watch descriptor %d", fd);
    slot_of(l, fd)->tells_room = true;
    return true;
}

/* Listed for the sweep: behind all that parked earlier. */
static enum woke park_on_fd(struct loop *l, struct task *t, int fd, enum fd_want want, deadline by)
{
    struct fd_slot *slot = slot_of(l, fd);
    enum woke woke;

    BUG_IF(slot->waiter[want] != NULL);
    slot->waiter[want] = t;
    t->waits_fd = fd;
    list_push_back(&l->parked, &t->parked);
    l->peers_awaited += by.at_us != INT64_MAX;
    woke = task_park(NULL, by, want == FD_READ ? "read" : "write");
    l->peers_awaited -= by.at_us != INT64_MAX;
    list_remove(&t->parked);
    slot_of(l, fd)->waiter[want] = NULL;
    return woke;
}

/* The end is told once, maybe together with the last bytes, and must be found by the read after those.  But a socket that
 * is not yet connected looks ended too, and later is not. */
static bool still_ended(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDHUP};

    return poll(&p, 1, 0) > 0;
}

bool task_wait_fd_idle(int fd, enum fd_want want, deadline by, void (*idle)(void *arg), void *arg, struct err *err)
{
    struct loop *l = loop_get();
    struct task *t = loop_task();
    struct fd_slot *slot = slot_of(l, fd);
    enum woke woke;

    if (t->cancelled)
        return woke_to_err(WOKE_BY_CANCEL, err);
    if (slot->mode == FD_UNKNOWN) {
        if (!know_fd(l, fd, want, err))
            return false;
        slot = slot_of(l, fd);
    }
    if (slot->mode == FD_ALWAYS_READY)
        return true;
    BUG_IF(slot->mode != FD_EDGE);
    if (want == FD_WRITE && !slot->tells_room && !watch_room(l, fd, err))
        return false;
    if (want == FD_READ && slot->ended && !slot->ready[want])
        slot->ready[want] = slot->ended = still_ended(fd);
    if (!slot->ready[want]) {
        t->idle = idle;
        t->idle_arg = arg;
        woke = park_on_fd(l, t, fd, want, by);
        if (woke != WOKE_BY_EVENT)
            return woke_to_err(woke, err);
    }
    slot_of(l, fd)->ready[want] = false;
    return true;
}

bool task_wait_fd(int fd, enum fd_want want, deadline by, struct err *err)
{
    return task_wait_fd_idle(fd, want, by, NULL, NULL, err);
}

void task_hurry(struct task *t, int fd, deadline by)
{
    struct fd_slot *slot = slot_of(loop_get(), fd);

    if (t->is_parked && (slot->waiter[FD_READ] == t || slot->waiter[FD_WRITE] == t))
        task_due(t, by);
}

static void forget(struct loop *l, int fd, bool closing_ends_watch)
{
    struct fd_slot *slot;

    if (fd < 0 || (size_t)fd >= l->fd_count)
        return;
    slot = &l->fds[fd];
    BUG_IF(slot->waiter[FD_READ] != NULL || slot->waiter[FD_WRITE] != NULL);
    if (slot->mode == FD_LISTENER)
        for (size_t i = 0; i < l->listener_count; i++)
            if (l->listeners[i] == fd)
                l->listeners[i] = l->listeners[--l->listener_count];
    if (!closing_ends_watch && slot->mode != FD_UNKNOWN && slot->mode != FD_ALWAYS_READY)
        (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    *slot = (struct fd_slot){0};
}

void fd_forget(int fd)
{
    forget(loop_get(), fd, false);
}

static void close_fd(int fd, bool is_sole)
{
    int code = errno;

    if (fd < 0)
        return;
    if (loop_is_there())
        forget(loop_get(), fd, is_sole);
    (void)close(fd);
    errno = code;
}

/* Closing does not end the watch while another process has the open file too. */
void fd_close(int fd)
{
    close_fd(fd, false);
}

void fd_close_sole(int fd)
{
    close_fd(fd, true);
}

/* ---- listeners ---- */

static bool arm_listener(struct loop *l, int fd, struct err *err)
{
    if (!watch(l, fd, EPOLLIN | EPOLLEXCLUSIVE, err))
        return false;
    *slot_of(l, fd) = (struct fd_slot){.mode = FD_LISTENER};
    if (l->listener_count == l->listener_cap) {
        l->listener_cap = l->listener_cap == 0 ? 8 : l->listener_cap * 2;
        l->listeners = xrealloc_array(l->listeners, l->listener_cap, sizeof *l->listeners);
    }
    l->listeners[l->listener_count++] = fd;
    return true;
}

/* Before each poll, so that a task which accepts and waits again in one turn costs no system call. */
void fd_disarm_listeners(struct loop *l)
{
    for (size_t i = 0; i < l->listener_count;) {
        struct fd_slot *slot = &l->fds[l->listeners[i]];

        if (slot->waiter[FD_READ] != NULL) {
            i++;
            continue;
        }
        (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->listeners[i], NULL);
        *slot = (struct fd_slot){0};
        l->listeners[i] = l->listeners[--l->listener_count];
    }
}

bool task_wait_listener(int fd, deadline by, struct err *err)
{
    struct loop *l = loop_get();
    struct task *t = loop_task();

    if (t->cancelled)
        return woke_to_err(WOKE_BY_CANCEL, err);
    if (slot_of(l, fd)->mode == FD_UNKNOWN && !arm_listener(l, fd, err))
        return false;
    BUG_IF(slot_of(l, fd)->mode != FD_LISTENER);
    t->idle = NULL;
    return woke_to_err(park_on_fd(l, t, fd, FD_READ, by), err);
}

/* ---- children ---- */

/* Without pidfd_open() (old kernels, emulators): looks again and again, less and less often. */
static bool wait_child_by_looking(int pid, deadline by, int *status, struct err *err)
{
    int64_t pause_us = MILLIS(1);

    for (;;) {
        pid_t got = waitpid(pid, status, WNOHANG);

        if (got == pid)
            return true;
        if (got < 0 && errno != EINTR)
            return err_sys(err, "wait for process %d", pid);
        if (deadline_passed(by))
            return woke_to_err(WOKE_BY_DEADLINE, err);
        if (!task_sleep(deadline_sooner(by, deadline_in(pause_us)), err))
            return false;
        if (pause_us < MILLIS(100))
            pause_us *= 2;
    }
}

bool task_wait_child(int pid, deadline by, int *status, struct err *err)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    int result = 0;
    bool ended;

    if (fd < 0 && errno == ESRCH)
        return err_sys(err, "wait for process %d", pid);
    if (fd < 0)
        return wait_child_by_looking(pid, by, status, err);
    ended = task_wait_fd(fd, FD_READ, by, err);
    fd_close(fd);
    if (!ended)
        return false;
    if (waitpid(pid, &result, WNOHANG) != pid)
        return err_sys(err, "wait for process %d", pid);
    *status = result;
    return true;
}
