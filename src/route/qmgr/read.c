#include "route/qmgr/read.h"

#include <errno.h>
#include <fcntl.h>

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "mail/events/events.h"
#include "mail/queue/dir.h"
#include "route/qmgr/move.h"
#include "route/qmgr/state.h"

enum {
    BATCH_MOST_RECIPIENTS = 5000, /* read at once */
    PAUSE_MOST_S = 60,
};

static bool collect(void *context, const struct recipient *r, bool done)
{
    struct batch *b = context;

    if (done)
        return true;
    if (b->count == b->cap) {
        b->cap = b->cap == 0 ? 1 : b->cap < 16 ? 16 : b->cap * 2;
        b->recipients = xrealloc_array(b->recipients, b->cap, sizeof *b->recipients);
    }
    b->recipients[b->count++] = *r;
    return true;
}

static size_t batch_most(void)
{
    size_t limit = (size_t)qmgr.params->qmgr_message_recipient_limit, least,
           free_slots = limit > qmgr.recipients ? limit - qmgr.recipients : 0;

    least = (size_t)qmgr.params->qmgr_message_recipient_minimum;
    if (free_slots > BATCH_MOST_RECIPIENTS)
        free_slots = BATCH_MOST_RECIPIENTS;
    return free_slots < least ? least : free_slots;
}

/* An agent of the predecessor's is still at work: most end soon, some take long.  As long again as this queue manager lives. */
static int64_t busy_pause_s(void)
{
    int64_t age_s = (clock_monotonic_us() - qmgr.started_us) / SECONDS(1);

    return age_s < 1 ? 1 : age_s > PAUSE_MOST_S ? PAUSE_MOST_S : age_s;
}

static void after_reading(struct message *m)
{
    int64_t missing = m->envelope.size.recipients - m->cursor.counted;

    m->scheduled.unread = m->cursor.next_offset == 0 ? 0 : m->cursor.unread;
    if (m->cursor.next_offset == 0 && missing != 0)
        event_warning("%s: rcpt count mismatch (%lld)", m->id, (long long)missing);
}

struct batch *read_more(struct message *m)
{
    struct batch *b = batch_new(m);
    char path[QUEUE_PATH_MOST];
    struct err err;
    bool read = false;

    if (message_path(m, QUEUE_ACTIVE, path)) {
        AUTO_FD int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

        read = fd < 0 ? err_sys(&err, "open %s", path)
                      : envelope_read_more(fd, path, &b->arena, batch_most(), collect, b, &m->cursor, &err);
    }
    if (!read) {
        /* What is known is finished; the rest has another chance when the file is read from its start. */
        event_warning("%s: reading more recipients: %s", m->id, err.text);
        m->cursor.next_offset = 0;
        m->scheduled.unread = 0;
        m->deferred = true;
        b->count = 0;
    } else {
        after_reading(m);
    }
    batch_count(b);
    return b;
}

static void reject(struct message *m, const char *path, const struct err *err)
{
    if (err->kind != ERR_CORRUPT) {
        event_warning("%s: %s", m->id, err->text);
        move_back(m, PAUSE_MOST_S);
        return;
    }
    /* Damage to the records themselves is told in terms of the file. */
    if (slice_starts(slice_text(err->text), slice_text(path))) {
        event_warning("%s", err->text);
        event_warning("%s: message rejected: missing end record", m->id);
    } else {
        event_warning("%s: message rejected: %s", m->id, err->text);
    }
    move_to_corrupt(m);
}

bool read_message(struct message *m, mode_t mode)
{
    char path[QUEUE_PATH_MOST];
    struct err err;
    AUTO_FD int fd = message_path(m, QUEUE_ACTIVE, path) ? open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;

    if (fd < 0) {
        if (errno != ENOENT) {
            event_warning("open %s: %s", path, strerror(errno));
            move_back(m, PAUSE_MOST_S);
        }
        return false;
    }
    if (!queue_lock(fd, true, &err)) {
        event_info("%s: skipped, still being delivered", m->id);
        move_back(m, busy_pause_s());
        return false;
    }
    if ((mode & QUEUE_MODE_UNTHROTTLE) != 0 && fchmod(fd, mode & 07777 & ~(mode_t)QUEUE_MODE_UNTHROTTLE) != 0)
        event_warning("%s: change mode: %s", path, strerror(errno));
    m->active_us = clock_wall_us();
    if (!envelope_read(fd, path, &m->first.arena, batch_most(), collect, &m->first, &m->envelope, &m->cursor, &err)) {
        m->first.count = 0; /* not counted yet */
        reject(m, path, &err);
        return false;
    }
    batch_count(&m->first);
    event_queued(&(struct event_queued){message_id(m), m->envelope.sender, m->envelope.size.content_bytes,
                                        (int)m->envelope.size.recipients});
    after_reading(m);
    return true;
}
