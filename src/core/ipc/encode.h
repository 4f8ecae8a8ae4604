/* core/ipc/encode.h - attribute lists as bytes, wherever they go; private to this folder. */
#ifndef CORE_IPC_ENCODE_H
#define CORE_IPC_ENCODE_H

#include "core/ipc/attr.h"

enum { IPC_MOST_FIELDS = 64 };

union ipc_value {
    slice bytes;
    int64_t number;
};

/* How much of a message's struct a member takes. */
static inline size_t ipc_value_bytes(enum ipc_type type)
{
    return type == IPC_TEXT || type == IPC_DATA ? sizeof(slice) : sizeof(int64_t);
}

/* Where bytes go, by PUT, which sets *ERR when it fails. */
struct ipc_sink {
    enum ipc_encoding e;
    bool (*put)(const struct ipc_sink *to, slice bytes);
    struct err *err;
};

bool ipc_put_message(const struct ipc_sink *to, const struct ipc_shape *shape, const void *message);
bool ipc_put_pair(const struct ipc_sink *to, const char *name, slice value);
bool ipc_put_end(const struct ipc_sink *to);
bool ipc_text_fits(enum ipc_encoding e, const char *name, slice value, struct err *err);

#endif
