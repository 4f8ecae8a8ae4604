#include "core/base/bug.h"
#include "core/base/utf8.h"
#include "mail/syntax/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice in = slice_of(data, size);
    AUTO_BUF struct buf coded = BUF_INIT(1U << 22), back = BUF_INIT(1U << 22), junk = BUF_INIT(1U << 22);

    BUG_IF(!xtext_encode(in, S(";"), &coded) || !xtext_decode(buf_slice(&coded), &back));
    BUG_IF(!slice_eq(buf_slice(&back), in));
    (void)xtext_decode(in, &junk);
    if (utf8_valid(in)) {
        buf_clear(&coded);
        buf_clear(&back);
        BUG_IF(!uxtext_encode(in, S(";"), &coded) || !uxtext_decode(buf_slice(&coded), &back));
        BUG_IF(!slice_eq(buf_slice(&back), in));
    }
    buf_clear(&junk);
    BUG_IF(uxtext_decode(in, &junk) && !utf8_valid(buf_slice(&junk)));
    return 0;
}
