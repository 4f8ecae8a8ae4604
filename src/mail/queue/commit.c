#include "mail/queue/commit.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/run/pool.h"

/* One flush of the file system costs a little more than that of a file. */
enum { TOGETHER_LEAST = 3, LONGER_MOST = 5 };
/* What others write to the file system goes out with it: when that takes too long, each file goes on its own for a while. */
#define LONG_US MILLIS(50)
#define TOO_LONG_US MILLIS(250)
#define PAUSE_US SECONDS(60)

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

struct commit {
    struct gathered place;
    int fd, error;
    int64_t took_us; /* together with others; of their first alone */
#define CANNOT (-1)
};

static void sync_file(struct gathered *one)
{
    struct commit *c = CONTAINER_OF(one, struct commit, place);

    c->error = fault("queue.fsync") || fsync(c->fd) != 0 ? errno : 0;
}

/* An error is everybody's: whose file it is nobody knows. */
static void sync_files(struct gathered *first)
{
    struct commit *c = CONTAINER_OF(first, struct commit, place);
    int64_t began_us = clock_monotonic_us();
    int error = fault("queue.syncfs") || syncfs(c->fd) != 0 ? errno : 0;

    c->took_us = error == ENOSYS ? CANNOT : clock_monotonic_us() - began_us;
    for (; first != NULL; first = first->next)
        if (error == ENOSYS)
            sync_file(first);
        else
            CONTAINER_OF(first, struct commit, place)->error = error;
}

/* ---- may one flush serve many? ---- */

/* Before Linux 5.8 syncfs() keeps quiet about what could not be written. */
static bool kernel_tells_errors(void)
{
    struct utsname u;
    int major, minor;

    return uname(&u) == 0 && sscanf(u.release, "%d.%d", &major, &minor) == 2 && (major > 5 || (major == 5 && minor >= 8));
}

/* Some file systems do nothing at all in syncfs(). */
static bool is_known_to_flush(const char *folder)
{
    struct statfs fs;

    return statfs(folder, &fs) == 0 &&
           (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC);
}

static bool is_mounted_at(const char *folder)
{
    char above[1000];
    struct stat here, there;
    int n = snprintf(above, sizeof above, "%s/..", folder);

    return n > 0 && n < (int)sizeof above && stat(folder, &here) == 0 && stat(above, &there) == 0 && here.st_dev != there.st_dev;
}

void committer_init(struct committer *c, const char *queue_directory)
{
    *c = (struct committer){
        .gathering = {.least = TOGETHER_LEAST, .alone = sync_file, .together = sync_files},
        .may_gather = kernel_tells_errors() && is_known_to_flush(queue_directory) && is_mounted_at(queue_directory),
    };
}

static void learn(struct committer *c, int64_t took_us)
{
    if (took_us == CANNOT)
        c->may_gather = false;
    else if (took_us > TOO_LONG_US || (took_us > LONG_US && c->usual_us > 0 && took_us > LONGER_MOST * c->usual_us))
        c->alone_until_us = clock_monotonic_us() + PAUSE_US;
    else
        c->usual_us = c->usual_us == 0 ? took_us : (7 * c->usual_us + took_us) / 8;
}

/* ---- one message ---- */

static void sync_alone(void *arg)
{
    sync_file(arg);
}

static void write_to_disk(struct committer *c, struct commit *commit)
{
    if (!c->may_gather || clock_monotonic_us() < c->alone_until_us)
        pool_run_brief(sync_alone, &commit->place);
    else
        gather_run(&c->gathering, &commit->place);
    if (commit->took_us != 0)
        learn(c, commit->took_us);
}

bool queue_commit(struct committer *c, int fd, int ready_mode, deadline by, struct err *err)
{
    struct commit commit = {.fd = fd};

    /* Files of other sessions are on their way to the disk: reading more mail now would only make the line longer. */
    while (pool_depth() + c->gathering.count >= COMMIT_MOST) {
        if (deadline_passed(by))
            return err_set(err, ERR_TIMEOUT, "too many queue files wait for the disk");
        if (!task_sleep(deadline_sooner(by, deadline_in(MILLIS(2))), err))
            return false;
    }
    if (fault("queue.fchmod") || fchmod(fd, (mode_t)ready_mode) != 0)
        return err_sys(err, "complete queue file");
    write_to_disk(c, &commit);
    if (commit.error != 0) {
        errno = commit.error;
        return err_sys(err, "write queue file to disk");
    }
    return true;
}
