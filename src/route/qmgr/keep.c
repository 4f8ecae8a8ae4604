#include "route/qmgr/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/file.h"
#include "core/run/pool.h"
#include "mail/events/events.h"
#include "mail/index/cache.h"
#include "mail/service/service.h"
#include "route/qmgr/state.h"

enum { PATH_MOST = 1000, WORTH_IT = 1000 /* changes, and a tenth of what there is */ };
#define LOOK_EVERY_US SECONDS(60)

/* False: there is no such place. */
static bool path_of(const char *suffix, char to[PATH_MOST])
{
    int n = snprintf(to, PATH_MOST, "%s/queue-index%s", qmgr.params->data_directory, suffix);

    return !service_run()->chroot && n > 0 && n < PATH_MOST;
}

/* Addresses in the file are in the form in which they are shown. */
static uint32_t view(void)
{
    return events_has_internal_addresses();
}

/* ---- reading ---- */

static void take(void *unused, const struct cached *m)
{
    struct index_entry *e;

    (void)unused;
    if (index_find(&qmgr.index, m->id) != NULL)
        return;
    e = index_put(&qmgr.index, m->queue, m->id, &m->file, m->file.changed_us);
    index_learn(&qmgr.index, e, &m->shown);
}

/* Exactly N bytes.  False: there are fewer. */
static bool read_bytes(int fd, size_t n, struct buf *to)
{
    buf_clear(to);
    while (to->n < n) {
        char *at = buf_reserve(to, n - to->n);
        ssize_t got = at == NULL ? -1 : read(fd, at, n - to->n);

        if (got <= 0)
            return false;
        buf_commit(to, (size_t)got);
    }
    return true;
}

enum got { GOT_BLOCK, GOT_LAST, GOT_DAMAGE };

static enum got take_block(int fd, struct buf *bytes, struct cache_room *room)
{
    struct cache_head head;

    if (!read_bytes(fd, CACHE_HEAD_BYTES, bytes) || !cache_head_parse(buf_slice(bytes), view(), &head))
        return GOT_DAMAGE;
    if (head.payload_bytes == 0)
        return GOT_LAST;
    if (!read_bytes(fd, head.payload_bytes, bytes) || cache_checksum(buf_slice(bytes)) != head.checksum ||
        !cache_payload_parse(buf_slice(bytes), room, take, NULL))
        return GOT_DAMAGE;
    return GOT_BLOCK;
}

static void take_all(int fd, const char *path)
{
    AUTO_BUF struct buf bytes = BUF_INIT(CACHE_PAYLOAD_MOST);
    struct cache_room *room = xmalloc(sizeof *room);
    enum got got;
    struct err err;

    do {
        got = take_block(fd, &bytes, room);
        qmgr_kick_intake();
    } while (got == GOT_BLOCK && task_yield(&err));
    if (got == GOT_DAMAGE)
        event_info("%s: not all of it can be used: what is missing is read again", path);
    free(room);
}

void keep_load(void)
{
    char path[PATH_MOST];
    struct stat st;

    if (!path_of("", path))
        return;
    AUTO_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 022) == 0)
        take_all(fd, path);
    qmgr.kept_changes = qmgr.index.changes;
    qmgr.can_keep = true;
}

/* ---- writing ---- */

/* One file being written. */
struct keeping {
    int fd;
    bool blocking; /* in place, not on a helper thread */
    struct cache_writer writer;
    struct buf block;
    struct err err;
    bool written;
};

/* Runs on a helper thread. */
static void write_bytes(void *arg)
{
    struct keeping *k = arg;

    k->written = file_write_all(k->fd, buf_slice(&k->block), &k->err);
}

static bool write_block(struct keeping *k)
{
    buf_clear(&k->block);
    cache_add_block(&k->writer, view(), &k->block);
    if (k->blocking)
        write_bytes(k);
    else
        pool_run(write_bytes, k);
    return k->written;
}

static bool write_queue(struct keeping *k, enum index_queue queue)
{
    struct index_cursor cursor;
    const struct index_entry *e;
    bool ok = true;

    index_cursor_begin(&qmgr.index, queue, &cursor);
    while (ok && (e = index_cursor_next(&cursor)) != NULL) {
        if (e->state == INDEX_KNOWN)
            cache_add(&k->writer, e);
        if (cache_is_full(&k->writer))
            ok = write_block(k);
    }
    index_cursor_end(&cursor);
    return ok;
}

static bool write_all(struct keeping *k)
{
    for (enum index_queue queue = 0; queue < INDEX_QUEUES; queue++)
        if (!write_queue(k, queue))
            return false;
    return (k->writer.message_count == 0 || write_block(k)) && write_block(k); /* the last one is empty */
}

static bool write_file(const char *new, const char *path, bool blocking, struct err *err)
{
    struct keeping k = {.blocking = blocking, .block = BUF_INIT(2 * CACHE_PAYLOAD_MOST)};
    bool written;

    (void)unlink(new);
    k.fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (k.fd < 0)
        return err_sys(err, "create %s", new);
    cache_writer_init(&k.writer);
    written = write_all(&k);
    cache_writer_done(&k.writer);
    buf_done(&k.block);
    (void)close(k.fd);
    if (!written) {
        *err = k.err;
        (void)unlink(new);
        return false;
    }
    return rename(new, path) == 0 || err_sys(err, "rename %s to %s", new, path);
}

static void keep(bool blocking)
{
    char new[PATH_MOST], path[PATH_MOST];
    uint64_t changes = qmgr.index.changes;
    struct err err;

    if (!qmgr.can_keep || !path_of(".new", new) || !path_of("", path))
        return;
    if (!write_file(new, path, blocking, &err)) {
        event_warning("%s; what is known of waiting messages is not kept", err.text);
        qmgr.can_keep = false;
    }
    qmgr.kept_changes = changes;
}

void keep_now(void)
{
    if (qmgr.index.changes != qmgr.kept_changes)
        keep(true);
}

void keep_run(void *unused)
{
    struct err err;

    (void)unused;
    while (task_sleep(deadline_in(LOOK_EVERY_US), &err))
        if (qmgr.index.changes - qmgr.kept_changes >= WORTH_IT + qmgr.index.count / 10)
            keep(false);
}
