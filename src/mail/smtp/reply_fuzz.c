#include <assert.h>
#include <stdlib.h>

#include "mail/smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice in = slice_of(data, size);
    struct reply_line r;

    if (reply_line_parse(in, &r)) {
        assert(r.text.n <= in.n && (r.text.n == 0 || (r.text.p >= in.p && r.text.p + r.text.n <= in.p + in.n)));
        assert(r.code >= 0 && r.code <= 999);
    }
    return 0;
}
