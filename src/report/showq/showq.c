/* showq(8): lists the queue. */
#include "core/base/cut.h"
#include "core/base/map.h"
#include "mail/events/events.h"
#include "mail/index/shown.h"
#include "mail/proto/showq.h"
#include "mail/queue/dir.h"
#include "mail/service/service.h"
#include "report/showq/manager.h"

enum { MESSAGE_MOST = 512 << 20 /* listed */, ADDRESS_MOST = 1 << 20 };

static struct params *params;

/* What is shown of the queues to one client. */
struct listing {
    struct stream *out;
    deadline by;
    struct shown shown;
    struct buf text; /* of one message */
    slice if_empty;  /* empty_address_recipient in external form */
    bool ok;
    struct err err;
};

static struct queue_layout layout(void)
{
    return (struct queue_layout){slice_text(params->hash_queue_names), params->hash_queue_depth};
}

static void write_shown(struct listing *l, slice queue, slice id)
{
    const struct shown *m = &l->shown;
    const struct showq_message head = {queue, id, m->arrival_s, m->message_bytes, m->forced_expire};

    buf_clear(&l->text);
    showq_add_message(&l->text, &head, &(struct showq_address){.local = m->sender, .if_empty = l->if_empty});
    for (size_t i = 0; i < m->count; i++)
        showq_add_recipient(&l->text,
                            &(struct showq_address){.local = m->recipients[i].address, .if_empty = l->if_empty},
                            m->recipients[i].reason);
    showq_add_end(&l->text);
    l->ok = !l->text.overflow && stream_write(l->out, buf_slice(&l->text), l->by, &l->err);
}

static void list_message(struct listing *l, slice queue, slice id, const char *path)
{
    const struct queue_layout where = layout();
    struct err err;

    switch (shown_read(&l->shown, &where, id, path, &err)) {
    case SHOWN_READ:
    case SHOWN_PART:
        write_shown(l, queue, id);
        break;
    case SHOWN_FAILED:
        event_warning("%s", err.text);
        break;
    default:
        break;
    }
}

/* All of QUEUE but for what is among TOLD, which may be NULL. */
static void list_queue(struct listing *l, slice queue, const struct map *told)
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
        if (told == NULL || map_get(told, id) == NULL)
            list_message(l, queue, id, path);
    }
    queue_scan_close(scan);
}

static void list_file(struct listing *l, slice queue, slice id)
{
    const struct queue_layout where = layout();
    char path[QUEUE_PATH_MOST];

    if (queue_path(&where, queue, id, path))
        list_message(l, queue, id, path);
}

/* What waits, as the queue manager tells it.  False: not all has been told. */
static bool list_told(struct listing *l, struct manager *m)
{
    slice queue, id;

    while (l->ok)
        switch (manager_next(m, l->by, &queue, &id)) {
        case MANAGER_RUN:
            l->ok = stream_write(l->out, buf_slice(&m->run), l->by, &l->err);
            break;
        case MANAGER_FILE:
            list_file(l, queue, id);
            break;
        case MANAGER_END:
            return true;
        default:
            return false;
        }
    return true;
}

/* The rest, from the files. */
static void list_untold(struct listing *l, slice ids)
{
    struct map told;
    slice id;

    map_init(&told);
    while (cut_until(&ids, '\0', &id))
        (void)map_set(&told, id, l);
    list_queue(l, S(QUEUE_DEFERRED), &told);
    list_queue(l, S(QUEUE_HOLD), &told);
    map_done(&told, NULL);
}

static void list_waiting(struct listing *l)
{
    struct manager manager;

    manager_ask(&manager);
    if (!list_told(l, &manager))
        list_untold(l, buf_slice(&manager.told));
    manager_done(&manager);
}

static void client(struct stream *s)
{
    AUTO_BUF struct buf if_empty = BUF_INIT(ADDRESS_MOST);
    struct listing l = {
        .out = s, .by = deadline_in(params->ipc_timeout_us), .text = BUF_INIT(MESSAGE_MOST), .ok = true};

    event_print_address(slice_text(params->empty_address_recipient), &if_empty);
    l.if_empty = buf_slice(&if_empty);
    shown_init(&l.shown, SHOWN_ALL);
    l.ok = ipc_hello(s, SHOWQ_PROTOCOL, l.by, &l.err);
    list_queue(&l, S(QUEUE_MAILDROP), NULL);
    list_queue(&l, S(QUEUE_ACTIVE), NULL);
    list_queue(&l, S(QUEUE_INCOMING), NULL);
    list_waiting(&l);
    l.ok = l.ok && ipc_write_end(s, l.by, &l.err) && stream_flush(s, l.by, &l.err);
    shown_done(&l.shown);
    buf_done(&l.text);
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
        .needs = {.may = SANDBOX_SERVICES, .reads = "maildrop incoming active deferred hold defer"},
        .pre_start = open_all,
        .client = client,
    };

    return service_main(&showq, argc, argv);
}
