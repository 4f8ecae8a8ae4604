#include "core/base/bug.h"
#include "mail/syntax/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice in = slice_of(data, size);
    AUTO_BUF struct buf coded = BUF_INIT(1U << 22), back = BUF_INIT(1U << 22), junk = BUF_INIT(1U << 22);

    BUG_IF(!xtext_encode(in, S(";"), &coded) || !xtext_decode(buf_slice(&coded), &back));
    BUG_IF(!slice_eq(buf_slice(&back), in));
    (void)xtext_decode(in, &junk);
    return 0;
}
