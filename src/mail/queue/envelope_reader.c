#include "mail/queue/envelope_reader.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/attributes.h"
#include "core/base/clock.h"
#include "mail/queue/envelope_record.h"

/* M has been read: on to the X record, by the size record when there is one. */
static bool leave_envelope(struct walk *w, const struct size_record *size)
{
    if (!w->strict && size->recipients > 0 && w->cursor.counted >= size->recipients) {
        w->ended = true;
        return true;
    }
    w->segment = w->has_size ? AT_EXTRACTED : IN_CONTENT;
    if (!w->has_size)
        return !w->strict || walk_corrupt(w, "missing size record");
    return queue_reader_seek(w->reader, size->data_offset + size->message_bytes, w->err);
}

static bool type_fits(struct walk *w, int type)
{
    switch (w->segment) {
    case IN_ENVELOPE:
        return record_in_envelope(type);
    case IN_CONTENT:
        return record_in_content(type);
    case RESUMED:
        return type == RECORD_EXTRACTED || record_in_envelope(type) || record_in_extracted(type);
    case AT_EXTRACTED:
        return type == RECORD_EXTRACTED;
    default:
        return record_in_extracted(type);
    }
}

/* The limit is reached, and the size record says that only recipients follow in this segment: on to the last segment,
 * where content filters and the like stand before the recipients. */
static bool skip_recipients(struct walk *w, const struct size_record *size)
{
    return w->full && w->segment == IN_ENVELOPE && (size->qmgr_flags & 1) == 0 && w->has_size;
}

/* Nothing but recipients is left, and they are for later. */
static bool may_stop(struct walk *w, const struct size_record *size, int type)
{
    if (!w->full)
        return false;
    return w->e == NULL || (w->segment == IN_EXTRACTED && record_starts_recipient(type) && (size->qmgr_flags & 1) == 0);
}

static bool place_record(struct walk *w, const struct size_record *size, int type, slice data, int64_t offset)
{
    if (!type_fits(w, type))
        return err_set(w->err, ERR_CORRUPT, "unexpected record type %d at offset %lld", type, (long long)offset);
    if (type == RECORD_CONTENT)
        return leave_envelope(w, size);
    if (type == RECORD_EXTRACTED)
        w->segment = IN_EXTRACTED;
    else if (type == RECORD_END)
        w->ended = true;
    else if (w->segment != IN_CONTENT)
        return walk_take(w, type, data, offset);
    return true;
}

/* Reads to the end, or as far as recipients are wanted. */
static bool walk_records(struct walk *w, const struct size_record *size)
{
    while (!w->ended) {
        int64_t offset;
        slice data;
        int type;

        if (skip_recipients(w, size) && !leave_envelope(w, size))
            return false;
        switch (queue_reader_next(w->reader, &type, &data, &offset, w->err)) {
        case RECORD_BAD:
            return false;
        case RECORD_EOF:
            return !w->strict || walk_corrupt(w, "missing end record");
        case RECORD_READ:
            break;
        }
        if (!place_record(w, size, type, data, offset))
            return false;
        if (may_stop(w, size, type))
            return true;
    }
    return true;
}

static void merge_client(struct walk *w)
{
    slice *to[] = {&w->e->client_name, &w->e->client_address, &w->e->client_port, &w->e->protocol_name,
                   &w->e->helo_name};
    bool logged = false;

    /* The log_* set counts as a whole: what it leaves out was not known of the origin. */
    for (size_t i = 0; i < COUNT_OF(to); i++)
        logged = logged || w->log_client[i].n > 0;
    for (size_t i = 0; i < COUNT_OF(to); i++)
        *to[i] = logged ? w->log_client[i] : w->client[i];
}

static bool check_complete(struct walk *w)
{
    if (!w->strict)
        return true;
    if (!w->has_size)
        return walk_corrupt(w, "missing size record");
    if (!w->e->has_time)
        return walk_corrupt(w, "missing arrival time record");
    if (!w->e->has_sender)
        return walk_corrupt(w, "missing sender record");
    return true;
}

static void finish_cursor(struct walk *w, const struct size_record *size, struct envelope_cursor *cursor)
{
    *cursor = w->cursor;
    cursor->next_offset = w->full ? w->resume : 0;
    cursor->unread = w->full && size->recipients > w->cursor.counted ? size->recipients - w->cursor.counted : 0;
    if (w->full && cursor->unread == 0)
        cursor->unread = 1; /* the size record counts too few: there is at least one */
}

static bool read_all(struct walk *w, int fd, struct envelope *out, struct envelope_cursor *cursor)
{
    struct envelope e = {0};
    bool read;

    AUTO_QUEUE_READER struct queue_reader *reader = queue_reader_open_at(fd, 0, w->path, 0);

    w->reader = reader;
    w->e = &e;
    read = walk_records(w, &e.size);
    if (!read && (w->strict || w->err->kind != ERR_CORRUPT))
        return false;
    if (!check_complete(w))
        return false;
    merge_client(w);
    if (!w->has_create_time)
        e.create_time = e.arrival_us / SECONDS(1);
    finish_cursor(w, &e.size, cursor);
    *out = e;
    return true;
}

bool envelope_read(int fd, const char *path, struct arena *arena, size_t most, envelope_recipient_fn *each,
                   void *context, struct envelope *out, struct envelope_cursor *cursor, struct err *err)
{
    struct walk w = {
        .path = path, .arena = arena, .most = most, .each = each, .context = context, .err = err, .strict = true};

    return read_all(&w, fd, out, cursor);
}

bool envelope_read_loose(int fd, const char *path, struct arena *arena, size_t most, envelope_recipient_fn *each,
                         void *context, struct envelope *out, struct envelope_cursor *cursor, struct err *err)
{
    struct walk w = {.path = path, .arena = arena, .most = most, .each = each, .context = context, .err = err};

    return read_all(&w, fd, out, cursor);
}

/* The size record alone, from the file's first record. */
static bool read_size(struct walk *w, int fd, struct size_record *size)
{
    char head[512];
    ssize_t n = pread(fd, head, sizeof head, 0);
    slice in = slice_of(head, n < 0 ? 0 : (size_t)n), data;
    int type;

    if (n < 0)
        return err_sys(w->err, "%s: read", w->path);
    if (cut_record(&in, &type, &data) != RECORD_READ || type != RECORD_SIZE || !size_record_parse(data, size) ||
        size->message_bytes <= 0 || size->data_offset <= 0)
        return walk_corrupt(w, "invalid size record");
    return true;
}

bool envelope_read_more(int fd, const char *path, struct arena *arena, size_t most, envelope_recipient_fn *each,
                        void *context, struct envelope_cursor *cursor, struct err *err)
{
    struct walk w = {.path = path,
                     .arena = arena,
                     .most = most,
                     .each = each,
                     .context = context,
                     .err = err,
                     .strict = true,
                     .has_size = true,
                     .cursor = *cursor,
                     .resume = cursor->next_offset};
    struct size_record size;

    if (cursor->next_offset == 0)
        return true;
    if (!read_size(&w, fd, &size))
        return false;
    AUTO_QUEUE_READER struct queue_reader *reader = queue_reader_open_at(fd, cursor->next_offset, path, 0);
    w.reader = reader;
    w.segment = RESUMED;
    if (!walk_records(&w, &size))
        return false;
    finish_cursor(&w, &size, cursor);
    return true;
}
