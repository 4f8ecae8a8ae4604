#include "core/io/stream.h"

#include "core/base/bug.h"
#include "core/io/stream_inner.h"

/* One byte more than MAX in front of the line end may still be its CR. */
static slice without_cr(slice line, bool *crlf)
{
    *crlf = line.n > 0 && line.p[line.n - 1] == '\r';
    return *crlf ? slice_head(line, line.n - 1) : line;
}

/* Takes the line that ends at index AT of the unread bytes. */
static enum stream_got take_line(struct stream *s, size_t at, slice *line)
{
    bool crlf;

    *line = without_cr(slice_head(stream_unread(s), at), &crlf);
    stream_take(s, at + 1);
    return crlf ? STREAM_LINE : STREAM_BARE_LF;
}

/* Throws away up to and including the next LF. */
static enum stream_got discard_line(struct stream *s, deadline by, slice *line, struct err *err)
{
    for (;;) {
        size_t at = slice_find(stream_unread(s), '\n');

        stream_take(s, at == SLICE_NONE ? stream_unread(s).n : at + 1);
        if (at != SLICE_NONE) {
            s->discarding = false;
            *line = (slice){"", 0};
            return STREAM_TOO_LONG;
        }
        switch (stream_fill(s, by, err)) {
        case FILL_MORE:
            break;
        case FILL_EOF:
            (void)err_set(err, ERR_PEER, "connection closed in the middle of a line");
            return STREAM_FAILED;
        case FILL_FAILED:
            return STREAM_FAILED;
        }
    }
}

/* What the unread bytes say about a line of at most MAX bytes. */
enum look { LOOK_LINE, LOOK_LONGER, LOOK_NEED_MORE };

/* *SEEN bytes are known to hold no LF; at LOOK_LINE it is the LF's index. */
static enum look look_for_line(slice unread, size_t max, size_t *seen)
{
    size_t at;

    if (max > SIZE_MAX - 2)
        max = SIZE_MAX - 2;
    unread = slice_head(unread, max + 2); /* MAX bytes, CR, LF */
    at = slice_find(slice_skip(unread, *seen), '\n');
    if (at != SLICE_NONE) {
        *seen += at;
        if (*seen <= max || unread.p[max] == '\r')
            return LOOK_LINE;
        return LOOK_LONGER;
    }
    *seen = unread.n;
    if (unread.n > max && !(unread.n == max + 1 && unread.p[max] == '\r'))
        return LOOK_LONGER;
    return LOOK_NEED_MORE;
}

/* Looks and fills until it is not LOOK_NEED_MORE.  STREAM_LINE: the line's LF is at *AT; STREAM_TOO_LONG: it is longer. */
static enum stream_got find_line(struct stream *s, size_t max, deadline by, size_t *at, struct err *err)
{
    size_t seen = 0;

    for (;;) {
        switch (look_for_line(stream_unread(s), max, &seen)) {
        case LOOK_LINE:
            *at = seen;
            return STREAM_LINE;
        case LOOK_LONGER:
            return STREAM_TOO_LONG;
        case LOOK_NEED_MORE:
            break;
        }
        switch (stream_fill(s, by, err)) {
        case FILL_MORE:
            break;
        case FILL_EOF:
            if (stream_unread(s).n == 0)
                return STREAM_EOF;
            (void)err_set(err, ERR_PEER, "connection closed in the middle of a line");
            return STREAM_FAILED;
        case FILL_FAILED:
            return STREAM_FAILED;
        }
    }
}

enum stream_got stream_read_line(struct stream *s, size_t max, deadline by, slice *line, struct err *err)
{
    size_t at;
    enum stream_got got;

    if (s->discarding)
        return discard_line(s, by, line, err);
    got = find_line(s, max, by, &at, err);
    if (got == STREAM_LINE)
        return take_line(s, at, line);
    if (got == STREAM_TOO_LONG) {
        s->discarding = true;
        return discard_line(s, by, line, err);
    }
    return got;
}

enum stream_got stream_read_text(struct stream *s, size_t max, deadline by, slice *line, struct err *err)
{
    size_t at;
    enum stream_got got = find_line(s, max, by, &at, err);

    if (got == STREAM_LINE)
        return take_line(s, at, line);
    if (got == STREAM_TOO_LONG) {
        *line = slice_head(stream_unread(s), max);
        stream_take(s, max);
        return (enum stream_got)STREAM_PIECE;
    }
    return got;
}

/* Something unread, or false: at end of file ERR_PEER. */
static bool have_some(struct stream *s, deadline by, struct err *err)
{
    if (stream_unread(s).n > 0)
        return true;
    switch (stream_fill(s, by, err)) {
    case FILL_MORE:
        return true;
    case FILL_EOF:
        return err_set(err, ERR_PEER, "connection closed");
    case FILL_FAILED:
        break;
    }
    return false;
}

bool stream_read_exact(struct stream *s, void *to, size_t n, deadline by, struct err *err)
{
    char *at = to;

    while (n > 0) {
        slice some;

        if (!have_some(s, by, err))
            return false;
        some = slice_head(stream_unread(s), n);
        memcpy(at, some.p, some.n);
        stream_take(s, some.n);
        at += some.n;
        n -= some.n;
    }
    return true;
}

bool stream_read_until_nul(struct stream *s, struct buf *out, deadline by, struct err *err)
{
    for (;;) {
        slice some;
        size_t at;

        if (!have_some(s, by, err))
            return false;
        some = stream_unread(s);
        at = slice_find(some, '\0');
        if (!buf_add(out, slice_head(some, at)))
            return err_set(err, ERR_LIMIT, "more than %zu bytes", out->max);
        stream_take(s, at == SLICE_NONE ? some.n : at + 1);
        if (at != SLICE_NONE)
            return true;
    }
}

enum stream_got stream_read_some(struct stream *s, size_t max, deadline by, slice *out, struct err *err)
{
    if (stream_unread(s).n == 0) {
        switch (stream_fill(s, by, err)) {
        case FILL_MORE:
            break;
        case FILL_EOF:
            return STREAM_EOF;
        case FILL_FAILED:
            return STREAM_FAILED;
        }
    }
    *out = slice_head(stream_unread(s), max);
    stream_take(s, out->n);
    return STREAM_LINE;
}

bool stream_peek_byte(struct stream *s, char *c, deadline by, struct err *err)
{
    if (!have_some(s, by, err))
        return false;
    *c = s->in[s->in_at];
    return true;
}

bool stream_read_byte(struct stream *s, char *c, deadline by, struct err *err)
{
    if (!stream_peek_byte(s, c, by, err))
        return false;
    stream_take(s, 1);
    return true;
}

size_t stream_buffered(const struct stream *s)
{
    return s->in_end - s->in_at;
}

slice stream_ahead(const struct stream *s)
{
    return stream_unread(s);
}

void stream_skip(struct stream *s, size_t n)
{
    BUG_IF(n > s->in_end - s->in_at);
    stream_take(s, n);
}

void stream_drop_input(struct stream *s)
{
    s->in_at = s->in_end = 0;
    s->discarding = false;
}

bool stream_wait_peer(struct stream *s, deadline by, bool *closed, struct err *err)
{
    if (stream_unread(s).n > 0) {
        *closed = false;
        return true;
    }
    switch (stream_fill(s, by, err)) {
    case FILL_MORE:
        *closed = false;
        return true;
    case FILL_EOF:
        *closed = true;
        return true;
    case FILL_FAILED:
        break;
    }
    return false;
}
