/* A mailbox file: its locks, and a message at its end. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/cut.h"
#include "mail/agent/mailbox_inner.h"

static bool cannot_update(const struct mailbox_job *job, struct mailbox_result *r, struct dsn_code dsn,
                          const char *format, ...) PRINTF_LIKE(4, 5);

/* The agent's complaint, and the reason. */
static bool cannot_update(const struct mailbox_job *job, struct mailbox_result *r, struct dsn_code dsn,
                          const char *format, ...)
{
    char why[MAILBOX_REASON_MOST];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return mailbox_give_up(r, dsn, "%s%s", job->complaint, why);
}

bool mailbox_locks_parse(slice text, unsigned *out)
{
    unsigned locks = 0;
    slice word;

    while (cut_word(&text, ", \t\r\n", &word)) {
        if (slice_eq_case(word, S("fcntl")))
            locks |= MAILBOX_LOCK_FCNTL;
        else if (slice_eq_case(word, S("flock")))
            locks |= MAILBOX_LOCK_FLOCK;
        else if (slice_eq_case(word, S("dotlock")))
            locks |= MAILBOX_LOCK_DOTLOCK;
        else
            return false;
    }
    *out = locks;
    return true;
}

/* ---- locks ----
 * They are waited for as long as deliver_lock_attempts, deliver_lock_delay apart, would take; but who has one for a moment
 * only does not make us wait for a whole delay. */
enum { LOOK_AGAIN_US = 10000 };

static int64_t wait_until(const struct mailbox_job *job)
{
    return clock_monotonic_us() + (job->lock_attempts - 1) * job->lock_delay_us;
}

/* False: it has been long enough. */
static bool wait_a_little(int64_t until_us)
{
    const struct timespec ts = {0, LOOK_AGAIN_US * 1000};

    if (clock_monotonic_us() >= until_us)
        return false;
    (void)nanosleep(&ts, NULL);
    return true;
}

/* Has nobody touched it for stale_lock_time? */
static bool is_stale(const struct mailbox_job *job, const char *lock)
{
    struct stat st;

    return stat(lock, &st) == 0 && clock_wall_us() - (int64_t)st.st_ctime * 1000000 > job->stale_lock_us;
}

/* FILE.lock, created exclusively; a stale one is removed.  0: there it is, or errno. */
static int dotlock_create(const struct mailbox_job *job, const char *lock)
{
    int64_t until = wait_until(job);

    for (;;) {
        int fd = open(lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);

        if (fd >= 0)
            return close(fd) == 0 ? 0 : errno;
        if (errno != EEXIST)
            return errno;
        if (is_stale(job, lock)) {
            if (unlink(lock) != 0 && errno != ENOENT)
                return errno;
        } else if (!wait_a_little(until)) {
            return EEXIST;
        }
    }
}

/* *TAKEN tells whether there is a lock to be removed: a file in a folder that cannot have one is written all the same. */
static bool dotlock_take(const struct mailbox_job *job, const char *lock, bool *taken, struct mailbox_result *r)
{
    int why = dotlock_create(job, lock);

    *taken = why == 0;
    if (why == 0)
        return true;
    if (job->is_file && why != EEXIST) {
        (void)snprintf(r->warning, sizeof r->warning, "unable to create lock file %s: %s", lock, strerror(why));
        return true;
    }
    return cannot_update(job, r, mailbox_dsn_of_errno(why), "unable to create lock file %s: %s", lock, strerror(why));
}

static bool kernel_locks_take(const struct mailbox_job *job, int fd, struct mailbox_result *r)
{
    int64_t until = wait_until(job);

    for (;;) {
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        bool ok = (job->locks & MAILBOX_LOCK_FCNTL) == 0 || fcntl(fd, F_SETLK, &whole) == 0;

        ok = ok && ((job->locks & MAILBOX_LOCK_FLOCK) == 0 || flock(fd, LOCK_EX | LOCK_NB) == 0);
        if (ok)
            return true;
        if ((errno != EAGAIN && errno != EACCES) || !wait_a_little(until))
            break;
    }
    return cannot_update(job, r, (struct dsn_code){4, 2, 0}, "unable to lock for exclusive access: %s",
                         strerror(errno));
}

/* ---- a mailbox file ---- */

/* Why a link was not followed: what it points to cannot be had, or can, and that is the trouble. */
static bool refuse_link(const struct mailbox_job *job, struct mailbox_result *r)
{
    if (access(job->path, W_OK) == 0)
        return cannot_update(job, r, (struct dsn_code){5, 2, 0}, "file is a symbolic link");
    return cannot_update(job, r, mailbox_dsn_of_errno(errno), "cannot open file: %s", strerror(errno));
}

/* An existing file is opened without following a link somebody put there meanwhile; a missing one is made exclusively.
 */
static int open_mailbox(const struct mailbox_job *job, struct mailbox_result *r)
{
    const char *what = "open file";

    for (int tries = 0; tries < 3; tries++) {
        int fd = open(job->path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

        what = "open file";
        if (fd >= 0)
            return fd;
        if (errno != ENOENT)
            break;
        what = "create file exclusively";
        fd = open(job->path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_CREAT | O_EXCL, 0600);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST)
            break;
    }
    if (errno == ELOOP)
        (void)refuse_link(job, r);
    else
        (void)cannot_update(job, r, mailbox_dsn_of_errno(errno), "cannot %s: %s", what, strerror(errno));
    return -1;
}

static bool mailbox_is_sound(const struct mailbox_job *job, const struct stat *st, struct mailbox_result *r)
{
    if (!S_ISREG(st->st_mode))
        return cannot_update(job, r, (struct dsn_code){5, 2, 0}, "destination %s is not a regular file", job->path);
    if (st->st_nlink > 1)
        return cannot_update(job, r, (struct dsn_code){5, 2, 0}, "file has %u hard links", (unsigned)st->st_nlink);
    if (job->owner_must_match && st->st_uid != job->uid)
        return cannot_update(job, r, (struct dsn_code){4, 2, 0}, "destination %s is not owned by recipient", job->path);
    return true;
}

static bool append(const struct mailbox_job *job, int content_fd, int fd, struct mailbox_result *r)
{
    struct stat st;
    struct err err;

    if (fstat(fd, &st) != 0)
        return cannot_update(job, r, mailbox_dsn_of_errno(errno), "cannot examine file: %s", strerror(errno));
    if (job->is_file && S_ISCHR(st.st_mode))
        return mailbox_write_all(job, content_fd, fd, false, &err) ||
               cannot_update(job, r, mailbox_dsn_of_errno(err.sys), "error writing message: %s",
                             mailbox_reason_of(&err));
    if (!mailbox_is_sound(job, &st, r) || !kernel_locks_take(job, fd, r))
        return false;
    if (fstat(fd, &st) != 0)
        return cannot_update(job, r, mailbox_dsn_of_errno(errno), "cannot examine file: %s", strerror(errno));
    if (mailbox_write_all(job, content_fd, fd, true, &err))
        return true;
    r->damaged = err.kind == ERR_CORRUPT;
    if (ftruncate(fd, st.st_size) != 0)
        return cannot_update(job, r, (struct dsn_code){4, 2, 0}, "error writing message: %s (and not undone: %s)",
                             mailbox_reason_of(&err), strerror(errno));
    return cannot_update(job, r, mailbox_dsn_of_errno(err.sys), "error writing message: %s", mailbox_reason_of(&err));
}

/* Something else that an alias may name: /dev/null needs no lock, and a folder gets none. */
static bool is_no_mailbox(const struct mailbox_job *job)
{
    struct stat st;

    return job->is_file && stat(job->path, &st) == 0 && !S_ISREG(st.st_mode);
}

bool mailbox_file_write(const struct mailbox_job *job, int content_fd, struct mailbox_result *r)
{
    bool dotlock = (job->locks & MAILBOX_LOCK_DOTLOCK) != 0 && !is_no_mailbox(job), locked = false, ok;
    char lock[MAILBOX_PATH_MOST + 8];
    int fd;

    (void)snprintf(lock, sizeof lock, "%s.lock", job->path);
    if (dotlock && !dotlock_take(job, lock, &locked, r))
        return false;
    fd = open_mailbox(job, r);
    ok = fd >= 0 && append(job, content_fd, fd, r);
    if (fd >= 0 && close(fd) != 0 && ok)
        ok = cannot_update(job, r, mailbox_dsn_of_errno(errno), "error writing message: %s", strerror(errno));
    if (locked)
        (void)unlink(lock);
    return ok;
}
