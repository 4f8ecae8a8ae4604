#include "mail/agent/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/cut.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "mail/queue/reader.h"

enum { GATHER_BYTES = 64 * 1024 };

static bool give_up(struct mailbox_result *r, struct dsn_code dsn, const char *format, ...) PRINTF_LIKE(3, 4);

static bool give_up(struct mailbox_result *r, struct dsn_code dsn, const char *format, ...)
{
    va_list args;

    r->kind = outcome_kind_of(dsn);
    r->dsn = dsn;
    va_start(args, format);
    (void)vsnprintf(r->reason, sizeof r->reason, format, args);
    va_end(args);
    return false;
}

/* Codes for a system call that failed on a user's file: what the user's own folders and rights forbid is final, what
 * the machine lacks just now is not. */
static struct dsn_code dsn_of_errno(int code)
{
    static const int final[] = {EACCES, EPERM, ENOENT, ENOTDIR, EISDIR, ELOOP, ENXIO, ENAMETOOLONG};

    if (code == EFBIG || code == EDQUOT)
        return (struct dsn_code){5, 2, 2};
    if (code == ENOSPC)
        return (struct dsn_code){4, 3, 0};
    for (size_t i = 0; i < COUNT_OF(final); i++)
        if (code == final[i])
            return (struct dsn_code){5, 2, 0};
    return (struct dsn_code){4, 2, 0};
}

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
    return give_up(r, dsn, "%s%s", job->complaint, why);
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

/* ---- content: the queue file's records as lines, gathered into large writes ---- */
struct sink {
    int fd;
    struct buf gathered;
};

static bool sink_flush(struct sink *s, struct err *err)
{
    bool ok = !fault("mailbox.write") ? file_write_all(s->fd, buf_slice(&s->gathered), err) : err_sys(err, "write");

    buf_clear(&s->gathered);
    return ok;
}

static bool sink_put(struct sink *s, slice text, struct err *err)
{
    while (text.n > 0) {
        size_t room = s->gathered.max - s->gathered.n;
        slice piece = slice_head(text, room);

        (void)buf_add(&s->gathered, piece);
        text = slice_skip(text, piece.n);
        if (s->gathered.n == s->gathered.max && !sink_flush(s, err))
            return false;
    }
    return true;
}

/* In mailbox files a line that looks like the start of a message gets a '>'. */
static bool write_content(const struct mailbox_job *job, int content_fd, struct sink *to, struct err *err)
{
    AUTO_QUEUE_READER struct queue_reader *reader = NULL;
    bool at_start = true, ends;
    enum record_got got;
    slice text;

    if (lseek(content_fd, job->content_offset, SEEK_SET) < 0)
        return err_sys(err, "seek in the queue file");
    reader = queue_reader_open(content_fd, "queue file", 0);
    while ((got = queue_reader_text(reader, &text, &ends, err)) == RECORD_READ) {
        bool quote = job->kind == MAILBOX_FILE && at_start && slice_starts(text, S("From "));

        if ((quote && !sink_put(to, S(">"), err)) || !sink_put(to, text, err) || (ends && !sink_put(to, S("\n"), err)))
            return false;
        at_start = ends;
    }
    if (got == RECORD_BAD)
        return false;
    if (!at_start && !sink_put(to, S("\n"), err))
        return false;
    return job->kind != MAILBOX_FILE || sink_put(to, S("\n"), err);
}

/* Everything, then onto the disk (SYNC). */
static bool write_all(const struct mailbox_job *job, int content_fd, int fd, bool sync, struct err *err)
{
    struct sink to = {.fd = fd};
    bool ok;

    buf_init(&to.gathered, GATHER_BYTES);
    ok = (job->kind != MAILBOX_FILE ||
          (sink_put(&to, slice_text(job->from_line), err) && sink_put(&to, S("\n"), err))) &&
         sink_put(&to, slice_text(job->head), err) && write_content(job, content_fd, &to, err) && sink_flush(&to, err);
    buf_done(&to.gathered);
    if (ok && sync && (fault("mailbox.fsync") || fsync(fd) != 0))
        ok = err_sys(err, "fsync");
    return ok;
}

/* ---- locks ---- */
static void pause_us(int64_t us)
{
    struct timespec ts = {us / 1000000, us % 1000000 * 1000};

    (void)nanosleep(&ts, NULL);
}

/* FILE.lock, created exclusively; one that nobody has touched for stale_lock_time is removed.  *TAKEN tells whether there is
 * one to be removed: a file in a folder that cannot have one is written all the same. */
static bool dotlock_take(const struct mailbox_job *job, const char *lock, bool *taken, struct mailbox_result *r)
{
    for (int attempt = 0; attempt < job->lock_attempts; attempt++) {
        int fd = open(lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
        struct stat st;

        if (fd >= 0) {
            (void)close(fd);
            *taken = true;
            return true;
        }
        if (errno != EEXIST)
            break;
        if (stat(lock, &st) == 0 && clock_wall_us() - (int64_t)st.st_ctime * 1000000 > job->stale_lock_us) {
            if (unlink(lock) != 0 && errno != ENOENT)
                break;
        } else if (attempt + 1 < job->lock_attempts) {
            pause_us(job->lock_delay_us);
        }
        errno = EEXIST;
    }
    if (job->is_file && errno != EEXIST) {
        (void)snprintf(r->warning, sizeof r->warning, "unable to create lock file %s: %s", lock, strerror(errno));
        return true;
    }
    return cannot_update(job, r, dsn_of_errno(errno), "unable to create lock file %s: %s", lock, strerror(errno));
}

static bool kernel_locks_take(const struct mailbox_job *job, int fd, struct mailbox_result *r)
{
    for (int attempt = 0; attempt < job->lock_attempts; attempt++) {
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        bool ok = (job->locks & MAILBOX_LOCK_FCNTL) == 0 || fcntl(fd, F_SETLK, &whole) == 0;

        ok = ok && ((job->locks & MAILBOX_LOCK_FLOCK) == 0 || flock(fd, LOCK_EX | LOCK_NB) == 0);
        if (ok)
            return true;
        if (errno != EAGAIN && errno != EACCES)
            break;
        pause_us(job->lock_delay_us);
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
    return cannot_update(job, r, dsn_of_errno(errno), "cannot open file: %s", strerror(errno));
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
        (void)cannot_update(job, r, dsn_of_errno(errno), "cannot %s: %s", what, strerror(errno));
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

/* What the system said, without what we were doing. */
static const char *reason_of(const struct err *err)
{
    return err->kind == ERR_SYS ? strerror(err->sys) : err->text;
}

static bool append(const struct mailbox_job *job, int content_fd, int fd, struct mailbox_result *r)
{
    struct stat st;
    struct err err;

    if (fstat(fd, &st) != 0)
        return cannot_update(job, r, dsn_of_errno(errno), "cannot examine file: %s", strerror(errno));
    if (job->is_file && S_ISCHR(st.st_mode))
        return write_all(job, content_fd, fd, false, &err) ||
               cannot_update(job, r, dsn_of_errno(err.sys), "error writing message: %s", reason_of(&err));
    if (!mailbox_is_sound(job, &st, r) || !kernel_locks_take(job, fd, r))
        return false;
    if (fstat(fd, &st) != 0)
        return cannot_update(job, r, dsn_of_errno(errno), "cannot examine file: %s", strerror(errno));
    if (write_all(job, content_fd, fd, true, &err))
        return true;
    r->damaged = err.kind == ERR_CORRUPT;
    if (ftruncate(fd, st.st_size) != 0)
        return cannot_update(job, r, (struct dsn_code){4, 2, 0}, "error writing message: %s (and not undone: %s)",
                             reason_of(&err), strerror(errno));
    return cannot_update(job, r, dsn_of_errno(err.sys), "error writing message: %s", reason_of(&err));
}

/* Something else that an alias may name: /dev/null needs no lock, and a folder gets none. */
static bool is_no_mailbox(const struct mailbox_job *job)
{
    struct stat st;

    return job->is_file && stat(job->path, &st) == 0 && !S_ISREG(st.st_mode);
}

static bool deliver_file(const struct mailbox_job *job, int content_fd, struct mailbox_result *r)
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
        ok = cannot_update(job, r, dsn_of_errno(errno), "error writing message: %s", strerror(errno));
    if (locked)
        (void)unlink(lock);
    return ok;
}

/* ---- a Maildir ---- */
/* With the directories above it. */
static bool make_directory(const char *path)
{
    char part[MAILBOX_PATH_MOST + 8];
    size_t n = strlen(path);

    (void)snprintf(part, sizeof part, "%s", path);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            int why = errno;

            if (access(part, F_OK) != 0) {
                errno = why;
                return false;
            }
        }
        part[i] = path[i];
    }
    return true;
}

static bool make_maildir(const struct mailbox_job *job)
{
    static const char *const parts[] = {"tmp", "new", "cur"};

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        char path[MAILBOX_PATH_MOST + 8];

        (void)snprintf(path, sizeof path, "%s%s", job->path, parts[i]);
        if (!make_directory(path))
            return false;
    }
    return true;
}

static bool maildir_failed(const struct mailbox_job *job, struct mailbox_result *r, const char *what, const char *file,
                           const struct err *err)
{
    int code = err == NULL ? errno : err->sys;

    if (code == EACCES)
        (void)snprintf(r->warning, sizeof r->warning, "maildir access problem for UID/GID=%ld/%ld: %s %s: %s",
                       (long)job->uid, (long)job->gid, what, file, strerror(code));
    return give_up(r, dsn_of_errno(code), "maildir delivery failed: %s %s: %s", what, file,
                   err == NULL ? strerror(code) : reason_of(err));
}

static int open_temporary(const struct mailbox_job *job, const char *path, struct mailbox_result *r)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == ENOENT && job->make_directories && make_maildir(job))
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        (void)maildir_failed(job, r, "create maildir file", path, NULL);
    return fd;
}

static bool publish(const struct mailbox_job *job, const char *temporary, const char *final)
{
    if (fault("maildir.rename"))
        return false;
    return rename(temporary, final) == 0 ||
           (errno == ENOENT && job->make_directories && make_maildir(job) && rename(temporary, final) == 0);
}

static bool deliver_maildir(const struct mailbox_job *job, int content_fd, struct mailbox_result *r)
{
    char temporary[MAILBOX_PATH_MOST + 320], final[MAILBOX_PATH_MOST + 400];
    struct timeval now = us_to_timeval(clock_wall_us());
    AUTO_FD int fd = -1;
    struct doomed doomed CLEANUP(doomed_remove) = {AT_FDCWD, NULL};
    struct stat st;
    struct err err;

    (void)snprintf(temporary, sizeof temporary, "%stmp/%lld.P%d.%s", job->path, (long long)now.tv_sec, (int)getpid(),
                   job->host);
    fd = open_temporary(job, temporary, r);
    if (fd < 0)
        return false;
    doomed.name = temporary;
    if (fstat(fd, &st) != 0)
        return maildir_failed(job, r, "examine maildir file", temporary, NULL);
    if (!write_all(job, content_fd, fd, true, &err)) {
        r->damaged = err.kind == ERR_CORRUPT;
        return maildir_failed(job, r, "write maildir file", temporary, &err);
    }
    (void)snprintf(final, sizeof final, "%snew/%lld.V%llxI%llxM%lld.%s", job->path, (long long)now.tv_sec,
                   (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, (long long)now.tv_usec, job->host);
    if (!publish(job, temporary, final))
        return maildir_failed(job, r, "rename maildir file", temporary, NULL);
    doomed.name = NULL;
    if (fsync(fd) != 0) /* the new name is now what the file was synced under, too */
        return maildir_failed(job, r, "fsync maildir file", final, NULL);
    return true;
}

/* No file may grow beyond the limit: the write that would make it so fails with EFBIG. */
static void limit_files(int64_t bytes)
{
    struct rlimit limit = {(rlim_t)bytes, (rlim_t)bytes};

    if (bytes > 0)
        (void)setrlimit(RLIMIT_FSIZE, &limit);
}

void mailbox_deliver(const struct mailbox_job *job, int content_fd, struct mailbox_result *out)
{
    bool maildir = job->kind == MAILBOX_MAILDIR;

    *out = (struct mailbox_result){.kind = OUTCOME_DELIVERED, .dsn = {2, 0, 0}};
    if (job->is_file && !maildir)
        (void)snprintf(out->reason, sizeof out->reason, "delivered to file: %s", job->path);
    else
        (void)snprintf(out->reason, sizeof out->reason, "delivered to %s", maildir ? "maildir" : "mailbox");
    limit_files(job->size_limit);
    (void)(maildir ? deliver_maildir(job, content_fd, out) : deliver_file(job, content_fd, out));
    if (job->patient && out->kind == OUTCOME_BOUNCED && out->dsn.subject == 2 && out->dsn.detail == 0) {
        out->kind = OUTCOME_DEFERRED;
        out->dsn.class = 4;
    }
}
