/* A printed list, read and printed again, stays as it is: printing has one normal form. */
#include "core/base/bug.h"
#include "mail/content/address_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool normalise(slice value, struct buf *out)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(1U << 24);
    struct list_node *first = NULL;

    return address_list_parse(value, 10240, &arena, &first) && address_list_print(S("To"), first, SIZE_MAX, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf once = BUF_INIT(1U << 22), twice = BUF_INIT(1U << 22);

    if (normalise(slice_of(data, size), &once))
        (void)normalise(slice_skip(buf_slice(&once), 3), &twice);
    return 0;
}
