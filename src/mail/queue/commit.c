#include "mail/queue/commit.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fault.h"
#include "core/run/pool.h"

struct sync_job {
    int fd, error;
};

static void sync_file(void *arg)
{
    struct sync_job *job = arg;

    job->error = fault("queue.fsync") || fsync(job->fd) != 0 ? errno : 0;
}

bool queue_commit(int fd, int ready_mode, deadline by, struct err *err)
{
    struct sync_job job = {.fd = fd};

    /* Files of other sessions are on their way to the disk: reading more mail now would only make the line longer. */
    while (pool_depth() >= COMMIT_MOST) {
        if (deadline_passed(by))
            return err_set(err, ERR_TIMEOUT, "too many queue files wait for the disk");
        if (!task_sleep(deadline_sooner(by, deadline_in(MILLIS(2))), err))
            return false;
    }
    if (fault("queue.fchmod") || fchmod(fd, (mode_t)ready_mode) != 0)
        return err_sys(err, "complete queue file");
    pool_run_brief(sync_file, &job);
    if (job.error != 0) {
        errno = job.error;
        return err_sys(err, "write queue file to disk");
    }
    return true;
}
