/* Lines of any message: first its headers, then its body. */
#include "core/base/cut.h"
#include "mail/content/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice in = slice_of(data, size), line, name, value;
    enum header_kind kind;
    struct mime m;

    mime_init(&m, 70, 5);
    while (cut_field(&in, '\n', &line)) {
        if (m.in_header && header_line_parse(line, &name, &kind, &value)) {
            mime_header(&m, kind, line, value);
            continue;
        }
        while (m.in_header)
            mime_header_end(&m);
        (void)mime_at_boundary(&m, line);
    }
    mime_done(&m);
    return 0;
}
