#include <errno.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/net/endpoint.h"

enum { SOCKET_FLAGS = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK };

static bool local_address(const char *path, struct sockaddr_un *out, struct err *err)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (text_from_slice(slice_text(path), out->sun_path, sizeof out->sun_path))
        return true;
    return err_set(err, ERR_LIMIT, "socket path too long: %.200s", path);
}

/* Waits until a connect under way has ended. */
static bool finish_connect(int fd, deadline by, struct err *err)
{
    int code = 0;
    socklen_t bytes = sizeof code;

    if (!task_wait_fd(fd, FD_WRITE, by, err))
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &bytes) != 0)
        return false;
    errno = code;
    return code == 0;
}

/* EAGAIN: the listener's backlog is full, or (EINTR) nothing happened at all; trying again is all one can do. */
static bool try_local(int fd, const struct sockaddr_un *to, deadline by, struct err *err)
{
    int64_t pause_us = MILLIS(1);

    while (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0) {
        if (errno != EAGAIN && errno != EINTR)
            return err_sys(err, "connect to %s", to->sun_path);
        if (deadline_passed(by))
            return err_set(err, ERR_TIMEOUT, "connect to %s: timed out", to->sun_path);
        if (!task_sleep(deadline_sooner(by, deadline_in(pause_us)), err))
            return false;
        if (pause_us < MILLIS(100))
            pause_us *= 2;
    }
    return true;
}

int local_connect(const char *path, deadline by, struct err *err)
{
    struct sockaddr_un to;
    int fd;

    if (!local_address(path, &to, err))
        return -1;
    fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (fd < 0) {
        (void)err_sys(err, "socket for %s", path);
        return -1;
    }
    if (try_local(fd, &to, by, err))
        return fd;
    fd_close(fd);
    return -1;
}

int local_listen(const char *path, int backlog, struct err *err)
{
    struct sockaddr_un at;

    if (!local_address(path, &at, err))
        return -1;
    if (unlink(path) != 0 && errno != ENOENT) {
        (void)err_sys(err, "remove %s", path);
        return -1;
    }
    int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (fd < 0) {
        (void)err_sys(err, "socket for %s", path);
        return -1;
    }
    if (bind(fd, (const struct sockaddr *)&at, sizeof at) != 0)
        (void)err_sys(err, "bind %s", path);
    else if (chmod(path, 0666) != 0)
        (void)err_sys(err, "chmod %s", path);
    else if (listen(fd, backlog) != 0)
        (void)err_sys(err, "listen on %s", path);
    else
        return fd;
    (void)close(fd);
    return -1;
}

/* ---- inet ---- */

static void show(const struct endpoint *e, char *to, size_t bytes)
{
    char address[ENDPOINT_TEXT];

    endpoint_print(e, address);
    (void)snprintf(to, bytes, "[%s]:%u", address, (unsigned)endpoint_port(e));
}

/* TEXT is the other end as errors call it. */
static bool try_inet(int fd, const struct endpoint *to, const struct endpoint *from, const char *text, deadline by,
                     struct err *err)
{
    err_clear(err);
    if (from != NULL && bind(fd, &from->u.any, from->bytes) != 0)
        return err_sys(err, "bind source address for %s", text);
    if (connect(fd, &to->u.any, to->bytes) == 0)
        return true;
    if ((errno == EINPROGRESS || errno == EINTR) && finish_connect(fd, by, err))
        return true;
    if (err->kind == ERR_TIMEOUT)
        return err_set(err, ERR_TIMEOUT, "connect to %s: Connection timed out", text);
    return err->kind != ERR_NONE ? false : err_sys(err, "connect to %s", text);
}

int inet_connect(const struct endpoint *to, const struct endpoint *from, deadline by, struct err *err)
{
    char text[ENDPOINT_TEXT + 16];
    int fd;

    show(to, text, sizeof text);
    fd = socket(to->u.any.sa_family, SOCKET_FLAGS, 0);
    if (fd < 0) {
        (void)err_sys(err, "socket for %s", text);
        return -1;
    }
    if (try_inet(fd, to, from, text, by, err))
        return fd;
    fd_close(fd);
    return -1;
}

int inet_listen(const struct endpoint *at, int backlog, struct err *err)
{
    char text[ENDPOINT_TEXT + 16];
    int on = 1;

    show(at, text, sizeof text);
    int fd = socket(at->u.any.sa_family, SOCKET_FLAGS, 0);
    if (fd < 0) {
        (void)err_sys(err, "socket for %s", text);
        return -1;
    }
    if (at->u.any.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
        (void)err_sys(err, "IPv6 only for %s", text);
    else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        (void)err_sys(err, "reuse address %s", text);
    else if (bind(fd, &at->u.any, at->bytes) != 0)
        (void)err_sys(err, "bind %s", text);
    else if (listen(fd, backlog) != 0)
        (void)err_sys(err, "listen on %s", text);
    else
        return fd;
    (void)close(fd);
    return -1;
}

int socket_accept(int listener, struct endpoint *peer)
{
    struct endpoint from = {.bytes = sizeof from.u};
    int fd = accept4(listener, &from.u.any, &from.bytes, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0 && peer != NULL) {
        endpoint_unmap(&from);
        *peer = from;
    }
    return fd;
}

/* ---- passing descriptors ---- */

union rights {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

bool fd_send(int socket, int fd, deadline by, struct err *err)
{
    char nul = '\0';
    struct iovec data = {&nul, 1};
    union rights rights = {0};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = rights.room, .msg_controllen = sizeof rights.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    while (sendmsg(socket, &message, MSG_NOSIGNAL) != 1) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return err_sys(err, "send descriptor");
        if (!task_wait_fd(socket, FD_WRITE, by, err))
            return false;
    }
    return true;
}

bool fd_receive(int socket, int *fd, deadline by, struct err *err)
{
    char byte;
    struct iovec data = {&byte, 1};
    union rights rights = {0};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = rights.room, .msg_controllen = sizeof rights.room};
    ssize_t n;

    while ((n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return err_sys(err, "receive descriptor");
        if (!task_wait_fd(socket, FD_READ, by, err))
            return false;
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (n != 1 || c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
        c->cmsg_len != CMSG_LEN(sizeof(int)))
        return err_set(err, ERR_PEER, "receive descriptor: none came");
    memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return true;
}
