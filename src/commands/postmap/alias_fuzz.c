/* Any line of an alias file: name and value are no longer than blanks and a missing quote make them, and the value behind the name
 * is one again. */
#include "core/base/bug.h"
#include "commands/postmap/aliases.h"

enum { BYTES = 1 << 20 };

/* Backslashes go from a value, and what they guarded is bare. */
static bool can_be_read_again(slice line, slice key)
{
    if (key.n == 0 || slice_find(line, '\\') != SLICE_NONE)
        return false;
    for (size_t i = 0; i < key.n; i++)
        if (!ascii_is_alnum(key.p[i]))
            return false;
    return true;
}

static void read_again(slice key, slice value)
{
    AUTO_BUF struct buf line = BUF_INIT(BYTES), key2 = BUF_INIT(BYTES), value2 = BUF_INIT(BYTES);

    BUG_IF(!buf_addf(&line, "%.*s: ", S_ARG(key)) || !buf_add(&line, value));
    BUG_IF(alias_line_parse(buf_slice(&line), &key2, &value2) != NULL || !slice_eq(buf_slice(&key2), key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf key = BUF_INIT(BYTES), value = BUF_INIT(BYTES);

    if (size > BYTES / 4 || alias_line_parse(slice_of(data, size), &key, &value) != NULL)
        return 0;
    BUG_IF(key.overflow || value.overflow || key.n > 2 * size || value.n > 2 * size + 2);
    if (can_be_read_again(slice_of(data, size), buf_slice(&key)))
        read_again(buf_slice(&key), buf_slice(&value));
    return 0;
}
