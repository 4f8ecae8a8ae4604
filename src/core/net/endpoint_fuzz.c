/* An address or a network that parses, prints as text that parses to the same. */
#include "core/net/endpoint.h"

#include "core/base/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice in = slice_of(data, size);
    struct endpoint e, again;
    struct net_block block;
    char shown[ENDPOINT_TEXT];
    struct err err;

    if (endpoint_parse(in, &e)) {
        endpoint_print(&e, shown);
        BUG_IF(!endpoint_parse(slice_text(shown), &again));
        BUG_IF(!endpoint_same_host(&e, &again));
    }
    if (net_block_parse(in, &block, &err))
        BUG_IF(!net_block_has(&block, &block.base));
    return 0;
}
