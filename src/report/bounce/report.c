#include "report/bounce/report.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "mail/events/events.h"
#include "mail/queue/dir.h"

static bool is_queue(slice name)
{
    static const slice queues[] = {S_INIT(QUEUE_ACTIVE), S_INIT(QUEUE_INCOMING), S_INIT(QUEUE_DEFERRED), S_INIT(QUEUE_HOLD)};

    for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++)
        if (slice_eq(name, queues[i]))
            return true;
    return false;
}

bool report_open(struct report *r, struct err *err)
{
    struct envelope_cursor cursor;
    struct err damage;

    r->boundary_time = clock_wall_us() / SECONDS(1);
    r->fd = -1;
    r->has_envelope = false;
    if (!is_queue(r->queue_name) || !queue_path(&r->desk->layout, r->queue_name, r->queue_id, r->path))
        return true;
    r->fd = open(r->path, O_RDWR | O_CLOEXEC);
    if (r->fd < 0)
        return errno == ENOENT || err_sys(err, "open %s", r->path);
    r->has_envelope = envelope_read(r->fd, r->path, r->arena, 0, NULL, NULL, &r->envelope, &cursor, &damage);
    if (!r->has_envelope && damage.kind == ERR_SYS) {
        *err = damage;
        report_close(r);
        return false;
    }
    if (!r->has_envelope)
        event_warning("%s: %s", r->path, damage.text);
    return true;
}

void report_close(struct report *r)
{
    if (r->fd >= 0)
        (void)close(r->fd);
    r->fd = -1;
}

void report_add(struct report *r, const struct bounce_entry *e)
{
    if (r->count == r->cap) {
        size_t cap = r->cap == 0 ? 8 : r->cap * 2;
        struct bounce_entry *more = arena_alloc_array(r->arena, cap, sizeof *more);

        if (more == NULL)
            return; /* the report is long enough */
        if (r->count > 0)
            memcpy(more, r->entries, r->count * sizeof *more);
        r->entries = more;
        r->cap = cap;
    }
    r->entries[r->count++] = *e;
}

static bool add_entry(void *context, const struct bounce_entry *e)
{
    report_add(context, e);
    return true;
}

bool report_read_log(struct report *r, struct buf *text, struct err *err)
{
    bool failed = strcmp(r->desk->service, BOUNCE_SERVICE) == 0;

    if (!bounce_log_read(&r->desk->layout, slice_text(r->desk->service), r->queue_id, text, err)) {
        if (err->sys == ENOENT)
            err->kind = ERR_NOT_FOUND;
        return false;
    }
    if (!bounce_log_parse(buf_slice(text), failed, r->arena, add_entry, r))
        return err_set(err, ERR_LIMIT, "%s/%.*s: too long a log", r->desk->service, S_ARG(r->queue_id));
    return true;
}

bool report_tells(const struct report *r, enum audience a, const struct bounce_entry *e)
{
    int notify = e->recipient.notify;

    if (a != FOR_SENDER || notify == NOTIFY_NONE)
        return true;
    switch (r->kind) {
    case TEMPLATE_FAILURE:
        return (notify & NOTIFY_FAILURE) != 0;
    case TEMPLATE_DELAY:
        return (notify & NOTIFY_DELAY) != 0;
    default:
        return true; /* what is in a trace log was asked for */
    }
}
