/* Any bytes as a run of records: what is cut prints back as itself, and lies inside the input. */
#include "core/base/bug.h"
#include "mail/queue/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    slice all = slice_of(bytes, n), rest = all, data;
    AUTO_BUF struct buf out = BUF_INIT(64u << 20);
    int type;

    while (cut_record(&rest, &type, &data) == RECORD_READ) {
        slice again, printed, name, value;
        int again_type;

        BUG_IF(data.n > 0 && (data.p < all.p || data.p + data.n > all.p + all.n));
        BUG_IF(rest.n >= all.n);
        buf_clear(&out);
        BUG_IF(!record_add(&out, type, data));
        printed = buf_slice(&out);
        BUG_IF(cut_record(&printed, &again_type, &again) != RECORD_READ || printed.n != 0 || again_type != type ||
               !slice_eq(again, data));
        if (attribute_parse(data, &name, &value))
            BUG_IF(name.n == 0 || name.p < data.p || value.p + value.n > data.p + data.n);
        (void)record_type_name(type);
    }
    return 0;
}
