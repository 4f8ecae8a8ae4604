#include "mail/queue/reader.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/fault.h"

enum { READ_BYTES = 16384, STREAM_READ_BYTES = 4096, REVERSE_JUMPS_MOST = 10000 };

struct queue_reader {
    int fd;
    bool follow, is_stream; /* a pipe, or read on from where FD stands */
    size_t limit;
    int64_t base;      /* file offset of bytes[0] */
    size_t at, filled; /* next byte, bytes there */
    int reverse_jumps;
    struct buf long_data; /* a record that crosses the end of bytes */
    char name[128];
    char bytes[READ_BYTES];
};

struct queue_reader *queue_reader_open_at(int fd, int64_t start, const char *name, size_t limit)
{
    struct queue_reader *r = xmalloc(sizeof *r);

    r->fd = fd;
    r->follow = true;
    r->is_stream = false;
    r->limit = limit == 0 || limit > RECORD_MOST_BYTES ? RECORD_MOST_BYTES : limit;
    r->base = start;
    r->at = r->filled = 0;
    r->reverse_jumps = 0;
    buf_init(&r->long_data, RECORD_MOST_BYTES);
    (void)snprintf(r->name, sizeof r->name, "%s", name);
    return r;
}

struct queue_reader *queue_reader_open(int fd, const char *name, size_t limit)
{
    off_t start = lseek(fd, 0, SEEK_CUR);
    struct queue_reader *r = queue_reader_open_at(fd, start < 0 ? 0 : start, name, limit); /* a pipe's offsets count from here */

    r->is_stream = true;
    return r;
}

void queue_reader_close(struct queue_reader *r)
{
    if (r == NULL)
        return;
    buf_done(&r->long_data);
    free(r);
}

void queue_reader_auto_close(struct queue_reader **r)
{
    queue_reader_close(*r);
}

void queue_reader_follow(struct queue_reader *r, bool on)
{
    r->follow = on;
}

int64_t queue_reader_offset(const struct queue_reader *r)
{
    return r->base + (int64_t)r->at;
}

bool queue_reader_seek(struct queue_reader *r, int64_t offset, struct err *err)
{
    if (offset >= r->base && offset <= r->base + (int64_t)r->filled) {
        r->at = (size_t)(offset - r->base);
        return true;
    }
    if (r->is_stream && lseek(r->fd, offset, SEEK_SET) < 0)
        return err_sys(err, "%s: seek to %lld", r->name, (long long)offset);
    r->base = offset;
    r->at = r->filled = 0;
    return true;
}

/* FILLED: at least one byte is there. */
enum fill { FILLED, FILL_END, FILL_FAILED };

static ssize_t read_bytes(struct queue_reader *r)
{
    if (fault("queue.read"))
        return -1;
    return r->is_stream ? read(r->fd, r->bytes, STREAM_READ_BYTES) : pread(r->fd, r->bytes, sizeof r->bytes, r->base);
}

static enum fill fill(struct queue_reader *r, struct err *err)
{
    ssize_t n;

    if (r->at < r->filled)
        return FILLED;
    r->base += (int64_t)r->filled;
    r->at = r->filled = 0;
    do
        n = read_bytes(r);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        (void)err_sys(err, "%s: read", r->name);
        return FILL_FAILED;
    }
    r->filled = (size_t)n;
    return n == 0 ? FILL_END : FILLED;
}

static bool read_length(struct queue_reader *r, int type, size_t *length, struct err *err)
{
    size_t value = 0;

    for (unsigned shift = 0;; shift += 7) {
        unsigned char byte;

        if (shift + 7 >= 32)
            return err_set(err, ERR_CORRUPT, "%s: too many length bits, record type %d", r->name, type);
        switch (fill(r, err)) {
        case FILL_FAILED:
            return false;
        case FILL_END:
            return err_set(err, ERR_CORRUPT, "%s: unexpected EOF reading length, record type %d", r->name, type);
        case FILLED:
            break;
        }
        byte = (unsigned char)r->bytes[r->at++];
        value |= (size_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            break;
    }
    if (value > r->limit)
        return err_set(err, ERR_CORRUPT, "%s: illegal length %zu, record type %d", r->name, value, type);
    *length = value;
    return true;
}

static bool read_data(struct queue_reader *r, int type, size_t length, slice *data, struct err *err)
{
    if (r->filled - r->at >= length) {
        *data = slice_of(r->bytes + r->at, length);
        r->at += length;
        return true;
    }
    /* Memory grows with what is read, not with what the length claims. */
    buf_clear(&r->long_data);
    while (r->long_data.n < length) {
        size_t n = length - r->long_data.n;

        switch (fill(r, err)) {
        case FILL_FAILED:
            return false;
        case FILL_END:
            return err_set(err, ERR_CORRUPT, "%s: unexpected EOF in data, record type %d length %zu", r->name, type,
                           length);
        case FILLED:
            break;
        }
        if (n > r->filled - r->at)
            n = r->filled - r->at;
        (void)buf_add(&r->long_data, slice_of(r->bytes + r->at, n));
        r->at += n;
    }
    *data = buf_slice(&r->long_data);
    return true;
}

static bool jump(struct queue_reader *r, slice data, int64_t from, struct err *err)
{
    int64_t to;

    if (!slice_to_i64(slice_trim(data), &to) || to < 0)
        return err_set(err, ERR_CORRUPT, "%s: malformed pointer record value: %.*s", r->name,
                       S_ARG(slice_head(data, 40)));
    if (to == 0)
        return true; /* a reserved place that nobody has used */
    if (to <= from && ++r->reverse_jumps > REVERSE_JUMPS_MOST)
        return err_set(err, ERR_CORRUPT, "%s: too many reverse jump records", r->name);
    return queue_reader_seek(r, to, err);
}

enum record_got queue_reader_next(struct queue_reader *r, int *type, slice *data, int64_t *offset, struct err *err)
{
    for (;;) {
        int64_t start = queue_reader_offset(r);
        size_t length;
        slice found;
        int letter;

        switch (fill(r, err)) {
        case FILL_FAILED:
            return RECORD_BAD;
        case FILL_END:
            return RECORD_EOF;
        case FILLED:
            break;
        }
        letter = (unsigned char)r->bytes[r->at++];
        if (!read_length(r, letter, &length, err) || !read_data(r, letter, length, &found, err))
            return RECORD_BAD;
        if (letter == RECORD_POINTER && r->follow) {
            if (!jump(r, found, start, err))
                return RECORD_BAD;
            continue;
        }
        *type = letter;
        *data = found;
        *offset = start;
        return RECORD_READ;
    }
}

enum record_got queue_reader_text(struct queue_reader *r, slice *text, bool *ends_line, struct err *err)
{
    for (;;) {
        int64_t offset;
        slice data;
        int type;

        switch (queue_reader_next(r, &type, &data, &offset, err)) {
        case RECORD_BAD:
            return RECORD_BAD;
        case RECORD_EOF:
            (void)err_set(err, ERR_CORRUPT, "%s: message content ends without its end record", r->name);
            return RECORD_BAD;
        case RECORD_READ:
            break;
        }
        if (type == RECORD_PADDING)
            continue;
        if (type == RECORD_EXTRACTED)
            return RECORD_EOF;
        if (type != RECORD_TEXT && type != RECORD_LONG_TEXT) {
            (void)err_set(err, ERR_CORRUPT, "%s: unexpected record type %d in message content", r->name, type);
            return RECORD_BAD;
        }
        *text = data;
        *ends_line = type == RECORD_TEXT;
        return RECORD_READ;
    }
}
