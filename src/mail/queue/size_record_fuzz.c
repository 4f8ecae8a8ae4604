/* parse(print(parse(x))) = parse(x) for size records. */
#include "core/base/bug.h"
#include "mail/queue/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool fits(int64_t v)
{
    return v > -INT64_C(100000000000000) && v < INT64_C(1000000000000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct size_record in, out;
    char text[SIZE_RECORD_BYTES + 1];
    slice rest = slice_of(text, SIZE_RECORD_BYTES), data;
    int type;

    if (!size_record_parse(slice_of(bytes, n), &in))
        return 0;
    size_record_print(&in, text);
    BUG_IF(cut_record(&rest, &type, &data) != RECORD_READ || rest.n != 0 || type != RECORD_SIZE);
    if (!fits(in.message_bytes) || !fits(in.data_offset) || !fits(in.recipients) || !fits(in.qmgr_flags) ||
        !fits(in.content_bytes) || !fits(in.sendopts))
        return 0;
    BUG_IF(!size_record_parse(data, &out) || memcmp(&in, &out, sizeof in) != 0);
    return 0;
}
