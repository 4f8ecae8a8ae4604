#include "mail/service/trigger.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/file.h"

static int connect_now(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    int fd;

    if (n >= sizeof to.sun_path)
        return -1;
    memcpy(to.sun_path, path, n);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

int trigger_begin(const char *path, slice bytes, struct err *err)
{
    struct stat st;
    int fd;

    err_clear(err);
    if (stat(path, &st) != 0) {
        (void)err_sys(err, "unable to look up %s", path);
        return -1;
    }
    if (S_ISFIFO(st.st_mode)) {
        fd = file_open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0);
        if (fd >= 0) {
            (void)!write(fd, bytes.p, bytes.n);
            (void)close(fd);
        }
        return -1;
    }
    fd = connect_now(path);
    if (fd >= 0) {
        (void)!write(fd, bytes.p, bytes.n);
        (void)!write(fd, "", 1);
    }
    return fd;
}

bool trigger_send(const char *path, slice bytes, struct err *err)
{
    int fd = trigger_begin(path, bytes, err);

    if (fd >= 0)
        (void)close(fd);
    return err->kind == ERR_NONE;
}
