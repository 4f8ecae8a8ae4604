#include "mail/agent/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
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

/* Codes for a system call that failed on a user's file. */
static struct dsn_code dsn_of_errno(int code)
{
    if (code == EFBIG || code == EDQUOT)
        return (struct dsn_code){5, 2, 2};
    if (code == ENOSPC)
        return (struct dsn_code){4, 3, 1};
    return (struct dsn_code){4, 2, 0};
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

/* Everything, then onto the disk. */
static bool write_all(const struct mailbox_job *job, int content_fd, int fd, struct err *err)
{
    struct sink to = {.fd = fd};
    bool ok;

    buf_init(&to.gathered, GATHER_BYTES);
    ok = (job->kind != MAILBOX_FILE || (sink_put(&to, slice_text(job->from_line), err) && sink_put(&to, S("\n"), err))) &&
         sink_put(&to, slice_text(job->head), err) && write_content(job, content_fd, &to, err) && sink_flush(&to, err);
    buf_done(&to.gathered);
    if (ok && (fault("mailbox.fsync") || fsync(fd) != 0))
        ok = err_sys(err, "fsync");
    return ok;
}

/* ---- locks ---- */
static void pause_us(int64_t us)
{
    struct timespec ts = {us / 1000000, us % 1000000 * 1000};

    (void)nanosleep(&ts, NULL);
}

/* FILE.lock, created exclusively; one that nobody has touched for stale_lock_time is removed. */
static bool dotlock_take(const struct mailbox_job *job, const char *lock, struct mailbox_result *r)
{
    for (int attempt = 0; attempt < job->lock_attempts; attempt++) {
        int fd = open(lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
        struct stat st;

        if (fd >= 0) {
            (void)close(fd);
            return true;
        }
        if (errno != EEXIST)
            return give_up(r, (struct dsn_code){4, 2, 0}, "cannot update mailbox %s for user. unable to create lock file %s: %s",
                           job->path, lock, strerror(errno));
        if (stat(lock, &st) == 0 && clock_wall_us() - (int64_t)st.st_ctime * 1000000 > job->stale_lock_us)
            (void)unlink(lock);
        else
            pause_us(job->lock_delay_us);
    }
    return give_up(r, (struct dsn_code){4, 2, 0}, "cannot update mailbox %s: file %s exists", job->path, lock);
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
    return give_up(r, (struct dsn_code){4, 2, 0}, "cannot update mailbox %s: unable to lock for exclusive access: %s", job->path,
                   strerror(errno));
}

/* ---- a mailbox file ---- */

/* An existing file is opened without following a link somebody put there meanwhile; a missing one is made exclusively. */
static int open_mailbox(const struct mailbox_job *job, struct mailbox_result *r)
{
    for (int tries = 0; tries < 3; tries++) {
        int fd = open(job->path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

        if (fd >= 0)
            return fd;
        if (errno != ENOENT)
            break;
        fd = open(job->path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_CREAT | O_EXCL, 0600);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST)
            break;
    }
    (void)give_up(r, errno == EACCES || errno == ELOOP ? (struct dsn_code){5, 2, 0} : dsn_of_errno(errno),
                  "cannot open mailbox %s: %s", job->path, strerror(errno));
    return -1;
}

static bool mailbox_is_sound(const struct mailbox_job *job, const struct stat *st, struct mailbox_result *r)
{
    if (!S_ISREG(st->st_mode))
        return give_up(r, (struct dsn_code){5, 2, 0}, "destination %s is not a regular file", job->path);
    if (st->st_nlink > 1)
        return give_up(r, (struct dsn_code){5, 2, 0}, "destination %s has %u hard links", job->path, (unsigned)st->st_nlink);
    if (job->owner_must_match && st->st_uid != job->uid)
        return give_up(r, (struct dsn_code){4, 2, 0}, "destination %s is not owned by recipient", job->path);
    if (job->size_limit > 0 && st->st_size >= job->size_limit)
        return give_up(r, (struct dsn_code){5, 2, 2}, "mailbox %s: file too large", job->path);
    return true;
}

static bool append(const struct mailbox_job *job, int content_fd, int fd, struct mailbox_result *r)
{
    struct stat st;
    struct err err;

    if (fstat(fd, &st) != 0)
        return give_up(r, dsn_of_errno(errno), "cannot examine mailbox %s: %s", job->path, strerror(errno));
    if (!mailbox_is_sound(job, &st, r) || !kernel_locks_take(job, fd, r))
        return false;
    if (fstat(fd, &st) != 0)
        return give_up(r, dsn_of_errno(errno), "cannot examine mailbox %s: %s", job->path, strerror(errno));
    if (write_all(job, content_fd, fd, &err))
        return true;
    if (ftruncate(fd, st.st_size) != 0)
        return give_up(r, (struct dsn_code){4, 2, 0}, "cannot append message to file %s: %s (and not undo it: %s)", job->path,
                       err.text, strerror(errno));
    return give_up(r, dsn_of_errno(err.sys), "cannot append message to file %s: %s", job->path, err.text);
}

static bool deliver_file(const struct mailbox_job *job, int content_fd, struct mailbox_result *r)
{
    bool dotlock = (job->locks & MAILBOX_LOCK_DOTLOCK) != 0, ok;
    char lock[MAILBOX_PATH_MOST + 8];
    int fd;

    (void)snprintf(lock, sizeof lock, "%s.lock", job->path);
    if (dotlock && !dotlock_take(job, lock, r))
        return false;
    fd = open_mailbox(job, r);
    ok = fd >= 0 && append(job, content_fd, fd, r);
    if (fd >= 0 && close(fd) != 0 && ok)
        ok = give_up(r, dsn_of_errno(errno), "cannot append message to file %s: %s", job->path, strerror(errno));
    if (dotlock)
        (void)unlink(lock);
    return ok;
}

/* ---- a Maildir ---- */
static bool make_maildir(const struct mailbox_job *job, struct mailbox_result *r)
{
    static const char *const parts[] = {"", "cur", "new", "tmp"};

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        char path[MAILBOX_PATH_MOST + 8];

        (void)snprintf(path, sizeof path, "%s%s", job->path, parts[i]);
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return give_up(r, dsn_of_errno(errno), "create maildir %s: %s", path, strerror(errno));
    }
    return true;
}

static int open_temporary(const struct mailbox_job *job, const char *path, struct mailbox_result *r)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == ENOENT && job->make_directories) {
        if (!make_maildir(job, r))
            return -1;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    if (fd < 0)
        (void)give_up(r, dsn_of_errno(errno), "create maildir file %s: %s", path, strerror(errno));
    return fd;
}

static bool deliver_maildir(const struct mailbox_job *job, int content_fd, struct mailbox_result *r)
{
    char temporary[MAILBOX_PATH_MOST + 320], final[MAILBOX_PATH_MOST + 400];
    struct timeval now = us_to_timeval(clock_wall_us());
    AUTO_FD int fd = -1;
    struct doomed doomed CLEANUP(doomed_remove) = {AT_FDCWD, NULL};
    struct stat st;
    struct err err;

    (void)snprintf(temporary, sizeof temporary, "%stmp/%lld.P%d.%s", job->path, (long long)now.tv_sec, (int)getpid(), job->host);
    fd = open_temporary(job, temporary, r);
    if (fd < 0)
        return false;
    doomed.name = temporary;
    if (fstat(fd, &st) != 0)
        return give_up(r, dsn_of_errno(errno), "examine %s: %s", temporary, strerror(errno));
    if (!write_all(job, content_fd, fd, &err))
        return give_up(r, dsn_of_errno(err.sys), "cannot write %s: %s", temporary, err.text);
    (void)snprintf(final, sizeof final, "%snew/%lld.V%llxI%llxM%lld.%s", job->path, (long long)now.tv_sec,
                   (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, (long long)now.tv_usec, job->host);
    if (fault("maildir.rename") || rename(temporary, final) != 0)
        return give_up(r, dsn_of_errno(errno), "rename %s to %s: %s", temporary, final, strerror(errno));
    doomed.name = NULL;
    if (fsync(fd) != 0) /* the new name is now what the file was synced under, too */
        return give_up(r, dsn_of_errno(errno), "fsync %s: %s", final, strerror(errno));
    return true;
}

void mailbox_deliver(const struct mailbox_job *job, int content_fd, struct mailbox_result *out)
{
    bool maildir = job->kind == MAILBOX_MAILDIR;

    *out = (struct mailbox_result){.kind = OUTCOME_DELIVERED, .dsn = {2, 0, 0}};
    (void)snprintf(out->reason, sizeof out->reason, "delivered to %s", maildir ? "maildir" : "mailbox");
    (void)(maildir ? deliver_maildir(job, content_fd, out) : deliver_file(job, content_fd, out));
}
