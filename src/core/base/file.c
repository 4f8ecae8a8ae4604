#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

void fd_auto_close(int *fd)
{
    int code = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = code;
}

void doomed_remove(struct doomed *d)
{
    int code = errno;

    if (d->name != NULL)
        (void)unlinkat(d->directory, d->name, 0);
    errno = code;
}

int file_open(const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

bool file_write_all(int fd, slice content, struct err *err)
{
    while (content.n > 0) {
        ssize_t n = write(fd, content.p, content.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "write");
        content = slice_skip(content, (size_t)n);
    }
    return true;
}

bool file_write_both(int fd, slice first, slice second, struct err *err)
{
    struct iovec both[] = {{(void *)(uintptr_t)first.p, first.n}, {(void *)(uintptr_t)second.p, second.n}};
    ssize_t n = first.n > 0 && second.n > 0 ? writev(fd, both, COUNT_OF(both)) : 0;
    size_t done = n > 0 ? (size_t)n : 0;

    if (n < 0 && errno != EINTR)
        return err_sys(err, "write");
    return file_write_all(fd, slice_skip(first, done), err) &&
           file_write_all(fd, slice_skip(second, done > first.n ? done - first.n : 0), err);
}

bool file_pwrite_all(int fd, slice content, int64_t offset, struct err *err)
{
    while (content.n > 0) {
        ssize_t n = pwrite(fd, content.p, content.n, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "write");
        content = slice_skip(content, (size_t)n);
        offset += n;
    }
    return true;
}

bool file_read_all(int fd, struct buf *out, struct err *err)
{
    for (;;) {
        size_t room = out->max - out->n < 8192 ? out->max - out->n : 8192;
        char one;
        char *to = room > 0 ? buf_reserve(out, room) : &one;
        ssize_t n = read(fd, to, room > 0 ? room : 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "read");
        if (n == 0)
            return true;
        if (room == 0)
            return err_set(err, ERR_LIMIT, "more than %zu bytes", out->max);
        buf_commit(out, (size_t)n);
    }
}

bool file_read_path(const char *path, struct buf *out, struct err *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_sys(err, "open %s", path);
    if (!file_read_all(fd, out, err))
        return err_note(err, "%s", path);
    return true;
}

bool text_from_slice(slice s, char *to, size_t to_bytes)
{
    if (s.n >= to_bytes || slice_has_nul(s)) {
        errno = EINVAL;
        if (to_bytes > 0)
            to[0] = '\0';
        return false;
    }
    if (s.n > 0)
        memcpy(to, s.p, s.n);
    to[s.n] = '\0';
    return true;
}
