/* Any bytes as the right side of an alias, the content of a list or of a .forward. */
#include <stdint.h>

#include "core/base/bug.h"
#include "deliver/local/local.h"

static void look(void *arg, slice item)
{
    size_t *bytes = arg;

    BUG_IF(item.n > 0 && item.p == NULL);
    for (size_t i = 0; i < item.n; i++)
        *bytes += (unsigned char)item.p[i] > 0; /* reads each */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(1U << 24);
    size_t bytes = 0, count = items_each(slice_of(data, size), &arena, look, &bytes);

    BUG_IF(count > size);
    BUG_IF(bytes > size);
    return 0;
}
