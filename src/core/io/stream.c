#include "core/io/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/io/stream_inner.h"
#include "core/run/page.h"

/* ---- opening and closing ---- */

/* True when FD was blocking before. */
static bool make_non_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (flags & O_NONBLOCK))
        return false;
    (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return true;
}

struct stream *stream_pair(int read_fd, int write_fd)
{
    struct stream *s = xcalloc(1, sizeof *s);

    s->read_fd = read_fd;
    s->write_fd = write_fd;
    s->was_blocking = make_non_blocking(read_fd);
    if (write_fd != read_fd)
        (void)make_non_blocking(write_fd);
    return s;
}

struct stream *stream_open(int fd)
{
    return stream_pair(fd, fd);
}

struct stream *stream_of_socket(int fd)
{
    struct stream *s = xcalloc(1, sizeof *s);

    s->read_fd = s->write_fd = fd;
    s->drained = s->is_sole = true;
    return s;
}

void stream_expect_input(struct stream *s)
{
    s->drained = false;
}

struct stream *stream_from_bytes(slice bytes)
{
    struct stream *s = xcalloc(1, sizeof *s);

    s->read_fd = s->write_fd = -1;
    s->eof = true;
    s->in_end = s->in_cap = bytes.n;
    s->in = xmalloc(bytes.n);
    if (bytes.n > 0)
        memcpy(s->in, bytes.p, bytes.n);
    return s;
}

static void free_stream(struct stream *s)
{
    stream_free_input(s);
    stream_free_output(s);
    free(s->write_failure);
    free(s->name);
    free(s);
}

/* The standard descriptors' open files belong to other programs as well, which do not expect EAGAIN. */
static void close_fd(const struct stream *s, int fd)
{
    int flags;

    if (fd >= 0 && fd <= STDERR_FILENO && s->was_blocking) {
        flags = fcntl(fd, F_GETFL);
        if (flags >= 0)
            (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    }
    if (s->is_sole)
        fd_close_sole(fd);
    else
        fd_close(fd);
}

void stream_close(struct stream *s)
{
    if (s == NULL)
        return;
    close_fd(s, s->read_fd);
    if (s->write_fd != s->read_fd)
        close_fd(s, s->write_fd);
    free_stream(s);
}

void stream_auto_close(struct stream **s)
{
    stream_close(*s);
    *s = NULL;
}

int stream_fd(const struct stream *s)
{
    return s->read_fd;
}

int stream_detach(struct stream *s)
{
    int fd = s->read_fd;

    fd_forget(fd);
    if (s->write_fd != fd)
        fd_close(s->write_fd);
    free_stream(s);
    return fd;
}

void stream_set_name(struct stream *s, const char *name)
{
    free(s->name);
    s->name = xstrndup(name, strlen(name));
}

const char *stream_name(const struct stream *s)
{
    return s->name == NULL ? "the peer" : s->name;
}

void stream_set_autoflush(struct stream *s, bool on)
{
    s->manual_flush = !on;
}

void stream_set_bulk(struct stream *s, bool on)
{
    s->bulk = on;
}

/* ---- waiting ---- */

static bool wait_fd(struct stream *s, enum fd_want want, deadline by, struct err *err)
{
    s->moved = 0;
    if (want == FD_WRITE) /* what was read last may still be on loan */
        return task_wait_fd(s->write_fd, FD_WRITE, by, err);
    stream_give_bulk_back(s);
    return task_wait_fd_idle(s->read_fd, FD_READ, by, stream_give_buffers_back, s, err);
}

/* A stream that never has to wait must not keep the other tasks from running, nor outlive its deadline. */
static bool be_fair(struct stream *s, deadline by, struct err *err)
{
    if (s->moved < YIELD_AFTER_BYTES)
        return true;
    s->moved = 0;
    if (deadline_passed(by))
        return err_set(err, ERR_TIMEOUT, "timed out");
    return task_yield(err);
}

/* ---- writing ---- */

static bool write_failed(struct stream *s, const struct err *err)
{
    if (s->write_failure == NULL)
        s->write_failure = xmalloc(sizeof *err);
    *s->write_failure = *err;
    s->out_n = 0;
    return false;
}

static bool write_out(struct stream *s, slice bytes, deadline by, struct err *err)
{
    while (bytes.n > 0) {
        ssize_t n;

        if (!be_fair(s, by, err))
            return false;
        n = s->write_fd < 0 ? (ssize_t)bytes.n : write(s->write_fd, bytes.p, bytes.n);
        if (n >= 0) {
            s->moved += (size_t)n;
            bytes = slice_skip(bytes, (size_t)n);
        } else if (errno == EAGAIN) {
            if (!wait_fd(s, FD_WRITE, by, err))
                return false;
        } else if (errno != EINTR) {
            return err_sys(err, "write");
        }
    }
    return true;
}

bool stream_flush(struct stream *s, deadline by, struct err *err)
{
    if (s->write_failure != NULL) {
        *err = *s->write_failure;
        return false;
    }
    if (!write_out(s, (slice){s->out, s->out_n}, by, err))
        return write_failed(s, err);
    s->out_n = 0;
    if (s->out_cap == BULK_BYTES)
        stream_free_output(s);
    return true;
}

bool stream_write(struct stream *s, slice bytes, deadline by, struct err *err)
{
    if (s->write_failure != NULL) {
        *err = *s->write_failure;
        return false;
    }
    if (bytes.n <= s->out_cap - s->out_n && bytes.n > 0) { /* the usual case */
        memcpy(s->out + s->out_n, bytes.p, bytes.n);
        s->out_n += bytes.n;
        return true;
    }
    while (bytes.n > 0) {
        slice part;

        stream_make_room(s, bytes.n);
        if (s->out_n == s->out_cap) {
            if (!stream_flush(s, by, err))
                return false;
            continue;
        }
        part = slice_head(bytes, s->out_cap - s->out_n);
        memcpy(s->out + s->out_n, part.p, part.n);
        s->out_n += part.n;
        bytes = slice_skip(bytes, part.n);
    }
    return true;
}

bool stream_printf(struct stream *s, deadline by, struct err *err, const char *format, ...)
{
    AUTO_BUF struct buf text = BUF_INIT(SIZE_MAX / 2);
    char small[512];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    BUG_IF(n < 0);
    if ((size_t)n < sizeof small)
        return stream_write(s, (slice){small, (size_t)n}, by, err);
    va_start(args, format);
    (void)vsnprintf(buf_reserve(&text, (size_t)n), (size_t)n + 1, format, args);
    va_end(args);
    buf_commit(&text, (size_t)n);
    return stream_write(s, buf_slice(&text), by, err);
}

char *stream_room(struct stream *s, size_t n, size_t *room)
{
    if (s->write_failure != NULL) {
        *room = 0;
        return NULL;
    }
    stream_make_room(s, n);
    *room = s->out_cap - s->out_n;
    return s->out + s->out_n;
}

void stream_filled(struct stream *s, size_t n)
{
    BUG_IF(n > s->out_cap - s->out_n);
    s->out_n += n;
}

size_t stream_pending(const struct stream *s)
{
    return s->out_n;
}

/* ---- filling the input buffer ---- */

static bool wait_readable(struct stream *s, deadline by, struct err *err)
{
    if (s->out_n > 0 && !s->manual_flush && !stream_flush(s, by, err))
        return false;
    if (!wait_fd(s, FD_READ, by, err))
        return false;
    s->drained = false;
    return true;
}

enum fill stream_fill(struct stream *s, deadline by, struct err *err)
{
    if (s->eof)
        return FILL_EOF;
    if (!be_fair(s, by, err))
        return FILL_FAILED;
    if (s->drained && by.at_us != AT_ONCE.at_us && !wait_readable(s, by, err))
        return FILL_FAILED;
    for (;;) {
        size_t most = stream_make_read_room(s);
        ssize_t n = read(s->read_fd, s->in + s->in_end, most);

        if (n > 0) {
            s->in_end += (size_t)n;
            s->moved += (size_t)n;
            s->drained = (size_t)n < most;
            return FILL_MORE;
        }
        if (n == 0) {
            s->eof = true;
            return FILL_EOF;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN) {
            (void)err_sys(err, "read");
            return FILL_FAILED;
        }
        if (!wait_readable(s, by, err))
            return FILL_FAILED;
    }
}

bool stream_peer_is_gone(const struct stream *s)
{
    struct pollfd p = {.fd = stream_fd(s)};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}
