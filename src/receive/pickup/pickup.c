/* pickup(8): takes local submissions from maildrop/ to cleanup. */
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#include "core/base/file.h"
#include "mail/events/events.h"
#include "mail/proto/cleanup.h"
#include "mail/queue/dir.h"
#include "mail/service/service.h"
#include "receive/pickup/message.h"

/* A file from the future beyond this is the fault of somebody's clock. */
enum { FUTURE_MOST_SECONDS = 2 * 3600, OLD_SECONDS = 86400 };

static struct params *params;

static void look_at_time(const char *path, struct stat *st)
{
    time_t now = time(NULL);

    if (st->st_mtime > now + FUTURE_MOST_SECONDS) {
        event_warning("%s: message dated %ld seconds into the future", path, (long)(st->st_mtime - now));
        (void)utime(path, NULL);
        st->st_mtime = now;
    } else if (st->st_mtime < now - OLD_SECONDS) {
        event_warning("%s: message has been queued for %ld days", path, (long)((now - st->st_mtime) / OLD_SECONDS));
    }
}

/* -1: skip it.  Another pickup may have it: one whose master was killed finishes what it is at while the next master has one, too. */
static int open_locked(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct err err;

    if (fd < 0) {
        if (errno != ENOENT)
            event_warning("open %s: %m", path);
        return -1;
    }
    if (queue_lock(fd, true, &err))
        return fd;
    if (err.sys != EAGAIN)
        event_warning("%s: %s", path, err.text);
    (void)close(fd);
    return -1;
}

/* Opens PATH and makes sure that it is the file that lstat saw, and still there now that it is locked.  -1: skip it. */
static int open_checked(const char *path, struct stat *st)
{
    struct stat opened, again;
    int fd = open_locked(path);
    bool there, is_gone;

    if (fd < 0)
        return -1;
    there = lstat(path, &again) == 0;
    is_gone = !there && errno == ENOENT;
    if (there && fstat(fd, &opened) == 0 && opened.st_dev == again.st_dev && opened.st_ino == again.st_ino &&
        opened.st_nlink == again.st_nlink && (opened.st_mode & S_IFMT) == (again.st_mode & S_IFMT) && S_ISREG(opened.st_mode)) {
        *st = opened;
        return fd;
    }
    if (!is_gone)
        event_warning("%s: file changed while it was opened", path);
    (void)close(fd);
    return -1;
}

/* True: the file is gone, so that another pass may find something new. */
static bool pick_up(slice id, const char *path)
{
    enum message_fate fate;
    bool is_requeued;
    struct stat st;
    int fd;

    if (queue_file_check(path, &st) != QUEUE_FILE_READY)
        return false;
    fd = open_checked(path, &st);
    if (fd < 0)
        return false;
    is_requeued = st.st_uid == service_run()->mail_uid && (st.st_mode & S_IROTH) == 0;
    look_at_time(path, &st);
    fate = message_deliver(params, fd, &st, id, path, is_requeued);
    (void)close(fd);
    if (fate == MESSAGE_LATER)
        return false;
    if (unlink(path) == 0 || errno == ENOENT)
        return true;
    event_warning("remove %s: %m", path);
    return false;
}

/* One pass over maildrop/.  Returns how many messages it moved. */
static unsigned pass(void)
{
    struct err err;
    struct queue_scan *scan = queue_scan_open(S(QUEUE_MAILDROP), &err);
    unsigned moved = 0;
    const char *path;
    slice id;

    if (scan == NULL) {
        event_warning("%s", err.text);
        return 0;
    }
    for (;;) {
        enum queue_scan_got got = queue_scan_next(scan, &id, &path, &err);

        if (got == SCAN_FAILED)
            event_warning("%s", err.text);
        if (got != SCAN_ID || service_is_draining())
            break; /* the next process goes on with it */
        if (pick_up(id, path))
            moved++;
    }
    queue_scan_close(scan);
    return moved;
}

static void scan_maildrop(slice request)
{
    (void)request;
    while (pass() > 0 && !service_is_draining())
        continue;
}

static bool open_all(struct service_run *run, struct err *err)
{
    slice list = slice_text(run->params->receive_override_options), unknown;
    unsigned overrides;

    params = run->params;
    return cleanup_overrides_parse(list, &overrides, &unknown) ||
           err_set(err, ERR_CONFIG, "unknown receive_override_options value \"%.*s\" in \"%.*s\"", S_ARG(unknown),
                   S_ARG(list));
}

int main(int argc, char **argv)
{
    static const struct service pickup = {
        .name = "pickup",
        .instances = SERVICE_ONE,
        .flags = SERVICE_FINISHES,
        .needs = {.may = SANDBOX_SERVICES, .writes = "maildrop"},
        .pre_start = open_all,
        .trigger = scan_maildrop,
    };

    return service_main(&pickup, argc, argv);
}
