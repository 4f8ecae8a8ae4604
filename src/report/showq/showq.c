/* showq(8): lists the queue. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/file.h"
#include "core/base/map.h"
#include "mail/events/events.h"
#include "mail/proto/showq.h"
#include "mail/queue/bounce_log.h"
#include "mail/queue/dir.h"
#include "mail/queue/envelope_reader.h"
#include "mail/service/service.h"
#include "mail/syntax/address.h"

enum { MESSAGE_MEMORY = 256 << 20, LOG_MOST = 64 << 20, RECIPIENTS_MOST = 1 << 20 };

static struct params *params;

/* One message being listed. */
struct listing {
    struct stream *out;
    deadline by;
    struct map logged;    /* recipients that the defer log has named */
    slice *waiting;       /* recipients of the file that are not done */
    size_t waiting_count, waiting_cap;
    bool ok;
    struct err err;
};

static struct queue_layout layout(void)
{
    return (struct queue_layout){slice_text(params->hash_queue_names), params->hash_queue_depth};
}

static void pair(struct listing *l, const char *name, slice value)
{
    l->ok = l->ok && ipc_write_pair(l->out, name, value, l->by, &l->err);
}

static void number(struct listing *l, const char *name, int64_t value)
{
    AUTO_BUF struct buf text = BUF_INIT(32);

    (void)buf_addf(&text, "%lld", (long long)value);
    pair(l, name, buf_slice(&text));
}

/* Addresses in external form, fit for a terminal; NUL and line ends never leave here. */
static void address(struct listing *l, const char *name, slice internal)
{
    AUTO_BUF struct buf shown = BUF_INIT(1 << 20);

    if (internal.n == 0)
        internal = slice_text(params->empty_address_recipient);
    event_print_address(internal, &shown);
    pair(l, name, buf_slice(&shown));
}

static void recipient(struct listing *l, slice internal, slice reason)
{
    address(l, "recipient", internal);
    pair(l, "reason", reason);
}

static bool list_logged(void *context, const struct bounce_entry *e)
{
    struct listing *l = context;
    static char mark;

    (void)map_set(&l->logged, e->recipient.address, &mark);
    recipient(l, e->recipient.address, e->outcome.reason);
    return l->ok;
}

/* Recipients that wait are told after the head of the message, and after those that the defer log names. */
static bool keep_recipient(void *context, const struct recipient *r, bool done)
{
    struct listing *l = context;

    if (done)
        return true;
    if (l->waiting_count == l->waiting_cap) {
        l->waiting_cap = l->waiting_cap == 0 ? 16 : l->waiting_cap * 2;
        l->waiting = xrealloc_array(l->waiting, l->waiting_cap, sizeof *l->waiting);
    }
    l->waiting[l->waiting_count++] = r->address;
    return true;
}

static void list_waiting(struct listing *l)
{
    for (size_t i = 0; i < l->waiting_count && l->ok; i++)
        if (map_get(&l->logged, l->waiting[i]) == NULL)
            recipient(l, l->waiting[i], S(""));
}

static void list_deferral_log(struct listing *l, slice id, struct arena *arena)
{
    const struct queue_layout where = layout();
    AUTO_BUF struct buf text = BUF_INIT(LOG_MOST);
    struct err err;

    if (bounce_log_read(&where, S("defer"), id, &text, &err))
        (void)bounce_log_parse(buf_slice(&text), false, arena, list_logged, l);
}

static void list_file(struct listing *l, slice queue, slice id, const char *path, int fd, const struct stat *st)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(MESSAGE_MEMORY);
    struct envelope_cursor cursor;
    struct envelope e = {0};
    struct err err;

    if (!envelope_read_loose(fd, path, &arena, RECIPIENTS_MOST, keep_recipient, l, &e, &cursor, &err) ||
        (!e.has_time && !e.has_sender))
        return; /* gone, or nothing that can be shown */
    pair(l, "queue_name", queue);
    pair(l, "queue_id", id);
    number(l, "time", e.has_time ? e.arrival_us / SECONDS(1) : st->st_mtim.tv_sec);
    number(l, "size", e.size.message_bytes > 0 ? e.size.message_bytes : st->st_size);
    number(l, "forced_expire", (st->st_mode & QUEUE_MODE_EXPIRE) != 0);
    address(l, "sender", e.sender);
    list_deferral_log(l, id, &arena);
    list_waiting(l);
    l->ok = l->ok && ipc_write_end(l->out, l->by, &l->err);
}

static void list_message(struct listing *l, slice queue, slice id, const char *path)
{
    struct stat st;
    AUTO_FD int fd = -1;

    if (queue_file_check(path, &st) != QUEUE_FILE_READY)
        return;
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT)
            event_warning("open %s: %m", path);
        return;
    }
    map_init(&l->logged);
    l->waiting_count = 0;
    list_file(l, queue, id, path, fd, &st);
    map_done(&l->logged, NULL);
}

static void list_queue(struct listing *l, slice queue)
{
    struct err err;
    struct queue_scan *scan = queue_scan_open(queue, &err);
    enum queue_scan_got got;
    const char *path;
    slice id;

    if (scan == NULL) {
        event_warning("%s", err.text);
        return;
    }
    while (l->ok && (got = queue_scan_next(scan, &id, &path, &err)) != SCAN_END) {
        if (got == SCAN_FAILED) {
            event_warning("%s", err.text);
            break;
        }
        list_message(l, queue, id, path);
    }
    queue_scan_close(scan);
}

static void client(struct stream *s)
{
    static const char *const queues[] = {QUEUE_MAILDROP, QUEUE_ACTIVE, QUEUE_INCOMING, QUEUE_DEFERRED, QUEUE_HOLD};
    struct listing l = {.out = s, .by = deadline_in(params->ipc_timeout_us), .ok = true};

    l.ok = ipc_hello(s, SHOWQ_PROTOCOL, l.by, &l.err);
    for (size_t i = 0; i < COUNT_OF(queues) && l.ok; i++)
        list_queue(&l, slice_text(queues[i]));
    l.ok = l.ok && ipc_write_end(s, l.by, &l.err) && stream_flush(s, l.by, &l.err);
    free(l.waiting);
}

static bool open_all(struct service_run *run, struct err *err)
{
    (void)err;
    params = run->params;
    return true;
}

int main(int argc, char **argv)
{
    static const struct service showq = {
        .name = "showq",
        .instances = SERVICE_ANY,
        .pre_start = open_all,
        .client = client,
    };

    return service_main(&showq, argc, argv);
}
