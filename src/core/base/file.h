/* core/base/file.h - small helpers around descriptors and whole files; all of them block. */
#ifndef CORE_BASE_FILE_H
#define CORE_BASE_FILE_H

#include <sys/types.h>

#include "core/base/buf.h"
#include "core/base/err.h"

/* Closes *FD unless it is negative; keeps errno.  AUTO_FD closes at scope end. */
void fd_auto_close(int *fd);
#define AUTO_FD CLEANUP(fd_auto_close)

/* Removes DIRECTORY/NAME (relative to the open DIRECTORY, or AT_FDCWD) at scope end unless .name was set to NULL. */
struct doomed {
    int directory;
    const char *name;
};
void doomed_remove(struct doomed *d);
#define AUTO_DOOMED CLEANUP(doomed_remove)

/* openat() relative to the working directory, as one and the same system call whatever C library makes it: those who follow
 * a message with strace look for it. */
int file_open(const char *path, int flags, mode_t mode);

/* Writes all of CONTENT; restarts after EINTR and short writes. */
MUST_CHECK bool file_write_all(int fd, slice content, struct err *err);
/* FIRST and then SECOND, with one system call if it takes both. */
MUST_CHECK bool file_write_both(int fd, slice first, slice second, struct err *err);
MUST_CHECK bool file_pwrite_all(int fd, slice content, int64_t offset, struct err *err);
/* Reads until end of file into OUT (appending).  ERR_LIMIT: more than OUT's maximum. */
MUST_CHECK bool file_read_all(int fd, struct buf *out, struct err *err);
MUST_CHECK bool file_read_path(const char *path, struct buf *out, struct err *err);

/* Copies S into TO as a C string.  False (errno = EINVAL, TO = ""): embedded NUL or no room. */
MUST_CHECK bool text_from_slice(slice s, char *to, size_t to_bytes);

#endif
