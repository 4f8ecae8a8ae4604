#include "mail/index/shown.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/map.h"
#include "mail/events/events.h"
#include "mail/queue/bounce_log.h"
#include "mail/queue/dir.h"
#include "mail/queue/envelope_reader.h"

enum { MESSAGE_MEMORY = 256 << 20, LOG_MOST = 64 << 20, LOG_ENTRY_BYTES = 4000, ADDRESS_MOST = 1 << 20 };

/* One message being read. */
struct reading {
    struct shown *to;
    struct map logged; /* recipients that the deferral log names */
    slice *waiting;    /* recipients of the file that are not done */
    size_t waiting_count, waiting_cap;
    struct buf address;
    bool full; /* no more can be taken */
    bool log_failed;
};

void shown_init(struct shown *m, size_t most)
{
    size_t log_bytes = most < LOG_MOST / LOG_ENTRY_BYTES ? most * LOG_ENTRY_BYTES : LOG_MOST;

    *m = (struct shown){.arena = ARENA_INIT(MESSAGE_MEMORY), .log = BUF_INIT(log_bytes), .most = most};
}

void shown_done(struct shown *m)
{
    arena_done(&m->arena);
    buf_done(&m->log);
    free(m->recipients);
    m->recipients = NULL;
    m->count = m->cap = 0;
}

static slice external(struct reading *r, slice internal)
{
    slice kept = {0};

    buf_clear(&r->address);
    event_print_address(internal, &r->address);
    r->full |= !arena_copy(&r->to->arena, buf_slice(&r->address), &kept);
    return kept;
}

static void add_recipient(struct reading *r, slice internal, slice reason)
{
    struct shown *m = r->to;

    if (m->count == m->most) {
        r->full = true;
        return;
    }
    if (m->count == m->cap) {
        m->cap = m->cap == 0 ? 4 : m->cap * 2;
        m->recipients = xrealloc_array(m->recipients, m->cap, sizeof *m->recipients);
    }
    m->recipients[m->count++] = (struct shown_recipient){external(r, internal), reason};
}

static bool add_logged(void *context, const struct bounce_entry *e)
{
    struct reading *r = context;

    if (r->waiting_count > 1 || r->to->count > 0 ||
        (r->waiting_count == 1 && !slice_eq(r->waiting[0], e->recipient.address)))
        (void)map_set(&r->logged, e->recipient.address, r); /* any value */
    else
        r->waiting_count = 0; /* the one recipient has its reason: the usual case, with no need of a map */
    add_recipient(r, e->recipient.address, slice_head(e->outcome.reason, slice_find(e->outcome.reason, '\0')));
    return !r->full;
}

static bool keep_recipient(void *context, const struct recipient *recipient, bool done)
{
    struct reading *r = context;

    if (done)
        return true;
    if (r->waiting_count == r->waiting_cap) {
        r->waiting_cap = r->waiting_cap == 0 ? 16 : r->waiting_cap * 2;
        r->waiting = xrealloc_array(r->waiting, r->waiting_cap, sizeof *r->waiting);
    }
    r->waiting[r->waiting_count++] = recipient->address;
    return true;
}

static void add_all(struct reading *r, const struct queue_layout *l, slice id)
{
    struct err err;

    buf_clear(&r->to->log);
    if (!bounce_log_read(l, S("defer"), id, &r->to->log, &err))
        r->log_failed = err.sys != ENOENT;
    else
        (void)bounce_log_parse(buf_slice(&r->to->log), false, &r->to->arena, add_logged, r);
    for (size_t i = 0; i < r->waiting_count && !r->full; i++)
        if (map_get(&r->logged, r->waiting[i]) == NULL)
            add_recipient(r, r->waiting[i], S(""));
}

static bool read_file(struct reading *r, const struct queue_layout *l, slice id, const char *path, int fd)
{
    struct shown *m = r->to;
    struct envelope_cursor cursor;
    struct envelope e = {0};
    struct err err;

    if (!envelope_read_loose(fd, path, &m->arena, m->most + 1, keep_recipient, r, &e, &cursor, &err) ||
        (!e.has_time && !e.has_sender))
        return false;
    m->arrival_s = e.has_time ? e.arrival_us / SECONDS(1) : m->st.st_mtim.tv_sec;
    m->message_bytes = e.size.message_bytes > 0 ? e.size.message_bytes : m->st.st_size;
    m->forced_expire = (m->st.st_mode & QUEUE_MODE_EXPIRE) != 0;
    m->sender = external(r, e.sender);
    add_all(r, l, id);
    return true;
}

enum shown_got shown_read(struct shown *m, const struct queue_layout *l, slice id, const char *path, struct err *err)
{
    struct reading r = {.to = m, .address = BUF_INIT(ADDRESS_MOST)};
    bool read;

    arena_reset(&m->arena);
    m->count = 0;
    if (queue_file_check(path, &m->st) != QUEUE_FILE_READY)
        return SHOWN_ABSENT;
    AUTO_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT) {
        (void)err_sys(err, "open %s", path);
        return SHOWN_FAILED;
    }
    if (fd < 0)
        return SHOWN_ABSENT;
    map_init(&r.logged);
    read = read_file(&r, l, id, path, fd);
    map_done(&r.logged, NULL);
    free(r.waiting);
    buf_done(&r.address);
    return !read ? SHOWN_ABSENT : r.full || r.log_failed ? SHOWN_PART : SHOWN_READ;
}
