/* The first byte chooses the encoding; the rest is read as lists until one fails.  What was read is written and read again. */
#include <stdint.h>

#include "core/base/bug.h"
#include "core/ipc/message.h"

#define FUZZED_FIELDS(F)                                                                                               \
    F(number, number)                                                                                                  \
    F(text, text)                                                                                                      \
    F(long, long_number, "long")                                                                                       \
    F(data, data)
IPC_MESSAGE(fuzzed, FUZZED_FIELDS)

enum { MEMORY = 100 * 1000 };

static void check_again(enum ipc_encoding e, const struct fuzzed *message)
{
    AUTO_BUF struct buf wire = BUF_INIT(4 * MEMORY);
    AUTO_ARENA struct arena arena = ARENA_INIT(MEMORY);
    struct fuzzed again;
    struct err err;

    BUG_IF(!ipc_encode(e, &fuzzed_shape, message, &wire));
    AUTO_STREAM struct stream *s = stream_from_bytes(buf_slice(&wire));
    BUG_IF(ipc_read_as(e, s, &fuzzed_shape, &arena, NEVER, &again, &err) != IPC_MESSAGE_READ);
    BUG_IF(again.number != message->number || again.long_number != message->long_number);
    BUG_IF(!slice_eq(again.text, message->text) || !slice_eq(again.data, message->data));
    BUG_IF(stream_buffered(s) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(MEMORY);
    enum ipc_encoding e = size > 0 && data[0] == 'p' ? IPC_PLAIN : IPC_ATTR0;
    AUTO_STREAM struct stream *s = stream_from_bytes(slice_skip(slice_of(data, size), 1));
    struct fuzzed message;
    struct err err;

    while (ipc_read_as(e, s, &fuzzed_shape, &arena, NEVER, &message, &err) == IPC_MESSAGE_READ)
        check_again(e, &message);
    return 0;
}
