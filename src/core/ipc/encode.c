#include "core/ipc/encode.h"

#include "core/base/base64.h"
#include "core/base/bug.h"
#include "core/base/cut.h"

bool ipc_put_pair(const struct ipc_sink *to, const char *name, slice value)
{
    slice given = slice_text(name);

    if (to->e == IPC_PLAIN)
        return to->put(to, given) && to->put(to, S("=")) && to->put(to, value) && to->put(to, S("\n"));
    return to->put(to, slice_of(given.p, given.n + 1)) && to->put(to, value) && to->put(to, S("\0"));
}

bool ipc_put_end(const struct ipc_sink *to)
{
    return to->put(to, to->e == IPC_PLAIN ? S("\n") : S("\0"));
}

static bool put_data(const struct ipc_sink *to, const char *name, slice value)
{
    AUTO_BUF struct buf text = BUF_INIT(SIZE_MAX / 4);

    (void)base64_encode(value, &text);
    return ipc_put_pair(to, name, buf_slice(&text));
}

static bool put_number(const struct ipc_sink *to, const char *name, uint64_t value)
{
    char digits[I64_TEXT];

    return ipc_put_pair(to, name, slice_of_u64(value, digits));
}

static bool put_field(const struct ipc_sink *to, const struct ipc_field *field, const union ipc_value *value)
{
    switch (field->type) {
    case IPC_TEXT:
        return ipc_put_pair(to, field->name, value->bytes);
    case IPC_DATA:
        return put_data(to, field->name, value->bytes);
    case IPC_NUMBER:
        return put_number(to, field->name, (uint32_t)value->number);
    case IPC_LONG:
        return put_number(to, field->name, (uint64_t)value->number);
    }
    bug("attribute %s has type %d", field->name, (int)field->type);
}

bool ipc_text_fits(enum ipc_encoding e, const char *name, slice value, struct err *err)
{
    if (slice_has_nul(value) || (e == IPC_PLAIN && slice_find(value, '\n') != SLICE_NONE))
        return err_set(err, ERR_SYNTAX, "the value of attribute %s cannot be sent", name);
    return true;
}

/* Copies the members of MESSAGE to VALUES and looks whether all can be sent, so that no half list goes out. */
static bool load(enum ipc_encoding e, const struct ipc_shape *shape, const void *message, union ipc_value *values,
                 struct err *err)
{
    const char *at = message;

    BUG_IF(shape->count > IPC_MOST_FIELDS);
    for (size_t i = 0; i < shape->count; i++) {
        const struct ipc_field *field = &shape->fields[i];

        memcpy(&values[i], at, ipc_value_bytes(field->type));
        at += ipc_value_bytes(field->type);
        if (field->type == IPC_TEXT && !ipc_text_fits(e, field->name, values[i].bytes, err))
            return false;
    }
    return true;
}

bool ipc_put_message(const struct ipc_sink *to, const struct ipc_shape *shape, const void *message)
{
    union ipc_value values[IPC_MOST_FIELDS];

    if (!load(to->e, shape, message, values, to->err))
        return false;
    for (size_t i = 0; i < shape->count; i++)
        if (!put_field(to, &shape->fields[i], &values[i]))
            return false;
    return ipc_put_end(to);
}

/* ---- without a stream ---- */

struct buf_sink {
    struct ipc_sink sink;
    struct buf *buf;
};

static bool put_in_buf(const struct ipc_sink *to, slice bytes)
{
    struct buf *out = CONTAINER_OF(to, struct buf_sink, sink)->buf;

    return buf_add(out, bytes) || err_set(to->err, ERR_LIMIT, "more than %zu bytes", out->max);
}

bool ipc_encode(enum ipc_encoding e, const struct ipc_shape *shape, const void *message, struct buf *out)
{
    struct err err;
    struct buf_sink to = {{e, put_in_buf, &err}, out};

    return ipc_put_message(&to.sink, shape, message);
}
