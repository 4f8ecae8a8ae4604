#include "mail/queue/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/run/pool.h"
#include "mail/queue/own_disk.h"

/* One flush of the file system costs a little more than that of a file. */
enum { TOGETHER_LEAST = 3, FAILED = -1 };

struct commit {
    struct gathered place;
    int fd, error;
    int64_t took_us; /* together with others, or FAILED; of their first alone */
};

static void sync_file(struct gathered *one)
{
    struct commit *c = CONTAINER_OF(one, struct commit, place);

    c->error = fault("queue.fsync") || fsync(c->fd) != 0 ? errno : 0;
}

/* A file system that had to be made read-only says nothing of what it did not write. */
static bool flush_all(int fd)
{
    struct statvfs fs;

    return !fault("queue.syncfs") && syncfs(fd) == 0 && fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_RDONLY) == 0;
}

/* syncfs() tells of errors since its own descriptor was opened, and once: what became of the pages of each file is asked of
 * each.  When it fails, whose error it is is not known; fsync() knows, since nothing has asked about these files before. */
static void sync_files(struct gathered *first)
{
    struct commit *c = CONTAINER_OF(first, struct commit, place);
    int64_t began_us = clock_monotonic_us();
    bool flushed = flush_all(c->fd);

    c->took_us = flushed ? clock_monotonic_us() - began_us : FAILED;
    for (; first != NULL; first = first->next) {
        c = CONTAINER_OF(first, struct commit, place);
        if (flushed)
            c->error = fault("queue.flushed") || sync_file_range(c->fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE) != 0 ? errno : 0;
        else
            sync_file(first);
    }
}

void committer_init(struct committer *c, const char *queue_directory)
{
    *c = (struct committer){
        .gathering = {.least = TOGETHER_LEAST, .alone = sync_file, .together = sync_files},
        .may_gather = own_disk_flushes(queue_directory),
    };
}

static void learn(struct commit_pace *p, int64_t took_us)
{
    if (took_us == FAILED)
        commit_pace_failed(p, clock_monotonic_us());
    else
        commit_pace_took(p, took_us, clock_monotonic_us());
}

/* ---- one message ---- */

static void sync_alone(void *arg)
{
    sync_file(arg);
}

static void write_to_disk(struct committer *c, struct commit *commit)
{
    if (!c->may_gather || !commit_pace_allows(&c->pace, clock_monotonic_us()))
        pool_run_brief(sync_alone, &commit->place);
    else
        gather_run(&c->gathering, &commit->place);
    if (commit->took_us != 0)
        learn(&c->pace, commit->took_us);
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
