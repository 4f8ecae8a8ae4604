/* Apart from commit.c, so that commands do not link the task runtime. */
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fault.h"
#include "mail/queue/commit.h"

bool queue_commit_blocking(int fd, int ready_mode, struct err *err)
{
    if (fault("queue.fchmod") || fchmod(fd, (mode_t)ready_mode) != 0)
        return err_sys(err, "complete queue file");
    if (fault("queue.fsync") || fsync(fd) != 0)
        return err_sys(err, "write queue file to disk");
    return true;
}
