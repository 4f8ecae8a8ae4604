#include "mail/agent/mailbox_inner.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/fault.h"
#include "core/base/file.h"
#include "mail/queue/reader.h"

enum { GATHER_BYTES = 64 * 1024 };

bool mailbox_give_up(struct mailbox_result *r, struct dsn_code dsn, const char *format, ...)
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
struct dsn_code mailbox_dsn_of_errno(int code)
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

/* What the system said, without what we were doing. */
const char *mailbox_reason_of(const struct err *err)
{
    return err->kind == ERR_SYS ? strerror(err->sys) : err->text;
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
    AUTO_QUEUE_READER struct queue_reader *reader = queue_reader_open_at(content_fd, job->content_offset, "queue file", 0);
    bool at_start = true, ends;
    enum record_got got;
    slice text;

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
bool mailbox_write_all(const struct mailbox_job *job, int content_fd, int fd, bool sync, struct err *err)
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

/* No file may grow beyond the limit: the write that would make it so fails with EFBIG.  All jobs of an agent have the
 * same. */
static void limit_files(int64_t bytes)
{
    struct rlimit limit;

    if (bytes <= 0 || getrlimit(RLIMIT_FSIZE, &limit) != 0)
        return;
    limit.rlim_cur = (rlim_t)bytes < limit.rlim_max ? (rlim_t)bytes : limit.rlim_max;
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
    (void)(maildir ? maildir_write(job, content_fd, out) : mailbox_file_write(job, content_fd, out));
    if (job->patient && out->kind == OUTCOME_BOUNCED && out->dsn.subject == 2 && out->dsn.detail == 0) {
        out->kind = OUTCOME_DEFERRED;
        out->dsn.class = 4;
    }
}
