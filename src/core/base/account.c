#include "core/base/account.h"

#include <errno.h>
#include <fcntl.h>

#include "core/base/file.h"

int account_file_trouble(const char *file)
{
    AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC);

    return fd >= 0 || errno == ENOENT ? 0 : errno;
}
