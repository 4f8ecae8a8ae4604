/* showq(8): lists the queue. */
#include "mail/events/events.h"
#include "mail/index/shown.h"
#include "mail/proto/showq.h"
#include "mail/queue/dir.h"
#include "mail/service/service.h"

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
        write_shown(l, queue, id);
        break;
    case SHOWN_FAILED:
        event_warning("%s", err.text);
        break;
    default:
        break;
    }
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
    AUTO_BUF struct buf if_empty = BUF_INIT(ADDRESS_MOST);
    struct listing l = {
        .out = s, .by = deadline_in(params->ipc_timeout_us), .text = BUF_INIT(MESSAGE_MOST), .ok = true};

    event_print_address(slice_text(params->empty_address_recipient), &if_empty);
    l.if_empty = buf_slice(&if_empty);
    shown_init(&l.shown);
    l.ok = ipc_hello(s, SHOWQ_PROTOCOL, l.by, &l.err);
    for (size_t i = 0; i < COUNT_OF(queues) && l.ok; i++)
        list_queue(&l, slice_text(queues[i]));
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
        .pre_start = open_all,
        .client = client,
    };

    return service_main(&showq, argc, argv);
}
