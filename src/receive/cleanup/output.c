#include "receive/cleanup/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/fault.h"
#include "core/base/file.h"

enum { FLUSH_AT = 60 * 1024, DIRECT_LEAST = 16 * 1024, USUAL_BYTES = 8000, BUFFER_MOST = 8 << 20 };

static struct list unkept = {&unkept, &unkept};

static void remove_stale_logs(const struct output *o, void (*stale)(const char *id, const char *log))
{
    static const char *const logs[] = {"defer", "bounce", "trace"};
    char path[QUEUE_PATH_MOST];

    for (size_t i = 0; i < COUNT_OF(logs); i++)
        if (queue_path(o->layout, slice_text(logs[i]), slice_text(o->file.id), path) && unlink(path) == 0)
            stale(o->file.id, logs[i]);
}

bool output_open(struct output *o, const struct queue_layout *layout, bool long_ids, int64_t most_bytes,
                 void (*stale)(const char *id, const char *log), struct err *err)
{
    *o = (struct output){.layout = layout, .queue = S(QUEUE_INCOMING), .file = {.fd = -1}, .most_bytes = most_bytes};
    buf_init(&o->buffer, BUFFER_MOST);
    if (!queue_create(layout, o->queue, long_ids, QUEUE_MODE_EMBRYO, &o->file, err))
        return false;
    (void)buf_reserve(&o->buffer, USUAL_BYTES);
    list_push_back(&unkept, &o->node);
    remove_stale_logs(o, stale);
    return true;
}

static void output_close(struct output *o)
{
    list_remove(&o->node);
    if (o->file.fd >= 0)
        (void)close(o->file.fd);
    o->file.fd = -1;
}

static void remove_file(const struct output *o)
{
    char path[QUEUE_PATH_MOST];

    if (o->file.fd >= 0 && queue_path(o->layout, o->queue, slice_text(o->file.id), path))
        (void)unlink(path);
}

void output_remove_all(void)
{
    LIST_EACH(each, &unkept)
        remove_file(LIST_ENTRY(each, struct output, node));
}

void output_done(struct output *o)
{
    remove_file(o);
    output_close(o);
    buf_done(&o->buffer);
}

void output_keep(struct output *o)
{
    output_close(o);
}

/* What is buffered, and RECORDS behind it. */
static bool flush_with(struct output *o, slice records)
{
    if (fault("cleanup.write")) {
        (void)err_sys(&o->err, "write queue file");
        o->state = OUTPUT_FAILED;
    } else if (!file_write_both(o->file.fd, buf_slice(&o->buffer), records, &o->err)) {
        (void)err_note(&o->err, "write queue file");
        o->state = OUTPUT_FAILED;
    }
    o->written_bytes += (int64_t)(o->buffer.n + records.n);
    buf_clear(&o->buffer);
    return o->state == OUTPUT_GOOD;
}

static bool flush(struct output *o)
{
    return flush_with(o, S(""));
}

int64_t output_offset(const struct output *o)
{
    return o->written_bytes + (int64_t)o->buffer.n;
}

static bool append(struct output *o, int type, slice data)
{
    if (!record_add(&o->buffer, type, data)) {
        o->state = OUTPUT_FAILED;
        return err_set(&o->err, ERR_LIMIT, "record too large");
    }
    return o->buffer.n < FLUSH_AT || flush(o);
}

bool output_record(struct output *o, int type, slice data)
{
    if (o->state != OUTPUT_GOOD)
        return false;
    if (!output_fits(o, data.n + 2)) {
        o->state = OUTPUT_TOO_BIG;
        return false;
    }
    return append(o, type, data);
}

bool output_fits(const struct output *o, size_t bytes)
{
    return o->most_bytes <= 0 || output_offset(o) + (int64_t)bytes <= o->most_bytes;
}

/* Many go past the buffer, which need not grow and be copied then. */
bool output_records(struct output *o, slice records)
{
    if (o->state != OUTPUT_GOOD)
        return false;
    if (records.n < DIRECT_LEAST && o->buffer.n + records.n < FLUSH_AT)
        return buf_add(&o->buffer, records);
    return flush_with(o, records);
}

bool output_vrecordf(struct output *o, int type, const char *format, va_list args)
{
    char text[512];
    int n = vsnprintf(text, sizeof text, format, args);

    if (n < 0 || (size_t)n >= sizeof text) {
        o->state = OUTPUT_FAILED;
        return err_set(&o->err, ERR_LIMIT, "record too large");
    }
    return output_record(o, type, slice_of(text, (size_t)n));
}

bool output_mark(struct output *o, int type)
{
    return o->state != OUTPUT_FAILED && append(o, type, S(""));
}

/* The first record may still be in the buffer. */
static bool flush_with_size(struct output *o, slice record)
{
    if (fault("cleanup.size"))
        return err_sys(&o->err, "write queue file");
    if (o->written_bytes > 0)
        return flush(o) && file_pwrite_all(o->file.fd, record, 0, &o->err);
    BUG_IF(o->buffer.n < record.n);
    memcpy(o->buffer.p, record.p, record.n);
    return flush(o);
}

bool output_complete(struct output *o, const struct size_record *size)
{
    char record[SIZE_RECORD_BYTES + 1];
    enum output_state before = o->state;

    if (before == OUTPUT_FAILED)
        return false;
    o->state = OUTPUT_GOOD;
    size_record_print(size, record);
    if (flush_with_size(o, slice_of(record, SIZE_RECORD_BYTES))) {
        o->state = before;
        return true;
    }
    o->state = OUTPUT_FAILED;
    return false;
}

bool output_move(struct output *o, slice queue)
{
    if (o->state != OUTPUT_GOOD || !queue_move(o->layout, o->queue, queue, slice_text(o->file.id), &o->err)) {
        o->state = OUTPUT_FAILED;
        return false;
    }
    o->queue = queue;
    return true;
}
