#include "core/ipc/attr.h"

#include "core/base/base64.h"
#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/ipc/encode.h"

enum { NAME_BYTES_MOST = 1024 };

/* ---- writing ---- */

struct stream_sink {
    struct ipc_sink sink;
    struct stream *s;
    deadline by;
};

static bool put_in_stream(const struct ipc_sink *to, slice bytes)
{
    const struct stream_sink *stream = CONTAINER_OF(to, struct stream_sink, sink);

    return stream_write(stream->s, bytes, stream->by, to->err);
}

bool ipc_write_as(enum ipc_encoding e, struct stream *s, const struct ipc_shape *shape, const void *message, deadline by,
                  struct err *err)
{
    struct stream_sink to = {{e, put_in_stream, err}, s, by};

    return ipc_put_message(&to.sink, shape, message);
}

bool ipc_write(struct stream *s, const struct ipc_shape *shape, const void *message, deadline by, struct err *err)
{
    return ipc_write_as(IPC_ATTR0, s, shape, message, by, err);
}

bool ipc_write_end(struct stream *s, deadline by, struct err *err)
{
    struct stream_sink to = {{IPC_ATTR0, put_in_stream, err}, s, by};

    return ipc_put_end(&to.sink);
}

bool ipc_write_pair(struct stream *s, const char *name, slice value, deadline by, struct err *err)
{
    struct stream_sink to = {{IPC_ATTR0, put_in_stream, err}, s, by};

    return ipc_text_fits(IPC_ATTR0, name, value, err) && ipc_put_pair(&to.sink, name, value);
}

/* ---- reading ---- */

struct source {
    enum ipc_encoding e;
    struct stream *s;
    struct arena *arena;
    deadline by;
    struct err *err;
    struct buf name, value; /* the last pair */
    bool ended;             /* the list's end has been read */
};

#define SOURCE_INIT(encoding, stream, memory, until, error)                                                            \
    {.e = (encoding), .s = (stream), .arena = (memory), .by = (until), .err = (error),                                 \
     .name = BUF_INIT(NAME_BYTES_MOST), .value = BUF_INIT((memory)->cap_bytes - (memory)->used_bytes)}

static void source_done(struct source *from)
{
    buf_done(&from->name);
    buf_done(&from->value);
}

enum pair { PAIR_FAILED, PAIR_EOF, PAIR_END, PAIR_READ };

static enum pair read_failed(struct source *from, const char *what)
{
    const char *name = stream_name(from->s);

    switch (from->err->kind) {
    case ERR_TIMEOUT:
        (void)err_set(from->err, ERR_TIMEOUT, "timeout on %s while reading %s", name, what);
        break;
    case ERR_PEER:
        (void)err_set(from->err, ERR_PEER, "premature end-of-input on %s while reading %s", name, what);
        break;
    case ERR_LIMIT:
        (void)err_set(from->err, ERR_LIMIT, "too much input from %s while reading %s", name, what);
        break;
    default:
        (void)err_note(from->err, "%s while reading %s", name, what);
    }
    return PAIR_FAILED;
}

static enum pair read_pair0(struct source *from)
{
    if (!stream_read_until_nul(from->s, &from->name, from->by, from->err))
        return read_failed(from, "input attribute name");
    if (from->name.n == 0)
        return PAIR_END;
    if (!stream_read_until_nul(from->s, &from->value, from->by, from->err))
        return read_failed(from, "input attribute value");
    return PAIR_READ;
}

static enum pair read_pair_plain(struct source *from)
{
    slice line, name;

    switch (stream_read_line(from->s, from->name.max + from->value.max, from->by, &line, from->err)) {
    case STREAM_LINE:
    case STREAM_BARE_LF:
        break;
    case STREAM_TOO_LONG:
        from->err->kind = ERR_LIMIT;
        return read_failed(from, "input attribute value");
    case STREAM_EOF:
        from->err->kind = ERR_PEER;
        return read_failed(from, "input attribute name");
    case STREAM_FAILED:
        return read_failed(from, "input attribute name");
    }
    if (line.n == 0)
        return PAIR_END;
    if (!cut_until(&line, '=', &name)) {
        (void)err_set(from->err, ERR_PEER, "missing '=' after attribute name from %s: %.*s", stream_name(from->s),
                      S_ARG(slice_head(line, 100)));
        return PAIR_FAILED;
    }
    if (buf_add(&from->name, name) && buf_add(&from->value, line))
        return PAIR_READ;
    from->err->kind = ERR_LIMIT;
    return read_failed(from, "input attribute value");
}

/* PAIR_EOF only when FIRST. */
static enum pair read_pair(struct source *from, bool first)
{
    char c;

    buf_clear(&from->name);
    buf_clear(&from->value);
    if (first && !stream_peek_byte(from->s, &c, from->by, from->err))
        return from->err->kind == ERR_PEER ? PAIR_EOF : read_failed(from, "input attribute name");
    return from->e == IPC_PLAIN ? read_pair_plain(from) : read_pair0(from);
}

/* Reads the next pair, which must be called NAME ("" for the end of the list). */
static enum pair expect_pair(struct source *from, const char *name, bool first)
{
    enum pair got = read_pair(from, first);

    from->ended = got == PAIR_END;
    if (got == PAIR_END && *name != '\0') {
        (void)err_set(from->err, ERR_PEER, "missing attribute %s in input from %s", name, stream_name(from->s));
        return PAIR_FAILED;
    }
    if (got == PAIR_READ && !slice_eq(buf_slice(&from->name), slice_text(name))) {
        (void)err_set(from->err, ERR_PEER, "unexpected attribute %.100s from %s (expecting: %s)", buf_text(&from->name),
                      stream_name(from->s), *name == '\0' ? "list terminator" : name);
        return PAIR_FAILED;
    }
    return got;
}

/* Decimal, at most MOST; a minus negates, as scanf's %u does. */
static bool parse_number(slice text, uint64_t most, uint64_t *out)
{
    bool minus = cut_char(&text, '-');
    uint64_t value = 0;

    if (text.n == 0)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (!ascii_is_digit(text.p[i]) || __builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (unsigned)(text.p[i] - '0'), &value))
            return false;
    if (value > most)
        return false;
    *out = minus ? 0 - value : value;
    return true;
}

static bool malformed(struct source *from, const char *what)
{
    return err_set(from->err, ERR_PEER, "malformed %s data from %s while reading input attribute value: %.100s", what,
                   stream_name(from->s), buf_text(&from->value));
}

static bool keep(struct source *from, slice value, slice *out)
{
    return arena_copy(from->arena, value, out) || err_set(from->err, ERR_LIMIT, "too much input from %s while reading %s",
                                                          stream_name(from->s), "input attribute value");
}

static bool take_data(struct source *from, slice *out)
{
    AUTO_BUF struct buf bytes = BUF_INIT(from->value.max);

    if (!base64_decode(buf_slice(&from->value), &bytes))
        return malformed(from, "base64");
    return keep(from, buf_slice(&bytes), out);
}

static bool take_value(struct source *from, enum ipc_type type, union ipc_value *out)
{
    slice text = buf_slice(&from->value);
    uint64_t number;

    switch (type) {
    case IPC_TEXT:
        if (slice_has_nul(text)) /* only the plain encoding could carry one */
            return malformed(from, "text");
        return keep(from, text, &out->bytes);
    case IPC_DATA:
        return take_data(from, &out->bytes);
    case IPC_NUMBER:
        if (!parse_number(text, UINT32_MAX, &number))
            return malformed(from, "numerical");
        out->number = (int32_t)(uint32_t)number;
        return true;
    case IPC_LONG:
        if (!parse_number(text, UINT64_MAX, &number))
            return malformed(from, "numerical");
        out->number = (int64_t)number;
        return true;
    }
    bug("attribute has type %d", (int)type);
}

static void store(const struct ipc_shape *shape, const union ipc_value *values, void *message)
{
    char *at = message;

    for (size_t i = 0; i < shape->count; i++) {
        memcpy(at, &values[i], ipc_value_bytes(shape->fields[i].type));
        at += ipc_value_bytes(shape->fields[i].type);
    }
}

/* May the peer close instead of sending the first field?  Then AT_START. */
static enum ipc_got read_message(struct source *from, const struct ipc_shape *shape, bool at_start, void *message)
{
    union ipc_value values[IPC_MOST_FIELDS];

    BUG_IF(shape->count > IPC_MOST_FIELDS);
    for (size_t i = 0; i < shape->count; i++) {
        enum pair got = expect_pair(from, shape->fields[i].name, at_start && i == 0);

        if (got == PAIR_EOF)
            return IPC_END;
        if (got != PAIR_READ || !take_value(from, shape->fields[i].type, &values[i]))
            return IPC_FAILED;
    }
    switch (expect_pair(from, "", at_start && shape->count == 0)) {
    case PAIR_END:
        store(shape, values, message);
        return IPC_MESSAGE_READ;
    case PAIR_EOF:
        return IPC_END;
    case PAIR_READ:
    case PAIR_FAILED:
        break;
    }
    return IPC_FAILED;
}

enum ipc_got ipc_read_as(enum ipc_encoding e, struct stream *s, const struct ipc_shape *shape, struct arena *arena,
                         deadline by, void *message, struct err *err)
{
    CLEANUP(source_done) struct source from = SOURCE_INIT(e, s, arena, by, err);

    return read_message(&from, shape, true, message);
}

enum ipc_got ipc_read(struct stream *s, const struct ipc_shape *shape, struct arena *arena, deadline by, void *message,
                      struct err *err)
{
    return ipc_read_as(IPC_ATTR0, s, shape, arena, by, message, err);
}

enum ipc_got ipc_read_first_as(enum ipc_encoding e, struct stream *s, const char *name, struct arena *arena, deadline by,
                               slice *value, struct err *err)
{
    CLEANUP(source_done) struct source from = SOURCE_INIT(e, s, arena, by, err);
    enum pair got = expect_pair(&from, name, true);
    union ipc_value first;

    if (got == PAIR_EOF)
        return IPC_END;
    if (got != PAIR_READ || !take_value(&from, IPC_TEXT, &first))
        return IPC_FAILED;
    *value = first.bytes;
    return IPC_MESSAGE_READ;
}

enum ipc_got ipc_read_first(struct stream *s, const char *name, struct arena *arena, deadline by, slice *value,
                            struct err *err)
{
    return ipc_read_first_as(IPC_ATTR0, s, name, arena, by, value, err);
}

bool ipc_read_rest_as(enum ipc_encoding e, struct stream *s, const struct ipc_shape *shape, struct arena *arena,
                      deadline by, void *message, struct err *err)
{
    CLEANUP(source_done) struct source from = SOURCE_INIT(e, s, arena, by, err);

    return read_message(&from, shape, false, message) == IPC_MESSAGE_READ;
}

bool ipc_read_rest(struct stream *s, const struct ipc_shape *shape, struct arena *arena, deadline by, void *message,
                   struct err *err)
{
    return ipc_read_rest_as(IPC_ATTR0, s, shape, arena, by, message, err);
}

static bool skip_to_end(struct source *from)
{
    enum pair got = PAIR_READ;

    while (!from->ended && got == PAIR_READ) {
        got = read_pair(from, false);
        from->ended = got == PAIR_END;
    }
    return from->ended;
}

bool ipc_read_rest_or_skip(struct stream *s, const struct ipc_shape *shape, struct arena *arena, deadline by, void *message,
                           bool *good, struct err *err)
{
    struct err why = {.kind = ERR_NONE}, later;
    CLEANUP(source_done) struct source from = SOURCE_INIT(IPC_ATTR0, s, arena, by, &why);
    bool whole = read_message(&from, shape, false, message) == IPC_MESSAGE_READ;

    if (!whole) {
        *err = why;
        from.err = &later;
        if (why.kind != ERR_PEER || !skip_to_end(&from))
            return false;
    }
    *good = whole;
    return true;
}

bool ipc_skip_rest(struct stream *s, struct arena *arena, deadline by, struct err *err)
{
    CLEANUP(source_done) struct source from = SOURCE_INIT(IPC_ATTR0, s, arena, by, err);

    return skip_to_end(&from);
}

/* ---- hello ---- */

static const struct ipc_field hello_fields[] = {{"protocol", IPC_TEXT}};
static const struct ipc_shape hello_shape = {"hello", hello_fields, COUNT_OF(hello_fields)};

bool ipc_hello(struct stream *s, const char *protocol, deadline by, struct err *err)
{
    slice id = slice_text(protocol);

    return ipc_write(s, &hello_shape, &id, by, err);
}

bool ipc_expect_hello(struct stream *s, const char *protocol, deadline by, struct err *err)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(4096);
    slice id;

    switch (ipc_read(s, &hello_shape, &arena, by, &id, err)) {
    case IPC_END:
        return err_set(err, ERR_PEER, "premature end-of-input on %s while reading input attribute name",
                       stream_name(s));
    case IPC_FAILED:
        return false;
    case IPC_MESSAGE_READ:
        break;
    }
    if (!slice_eq(id, slice_text(protocol)))
        return err_set(err, ERR_PEER, "unexpected protocol %.*s from %s (expected: %s)", S_ARG(slice_head(id, 100)),
                       stream_name(s), protocol);
    return true;
}
