/* Lines of any message: first its headers, then its body. */
#include "core/base/cut.h"
#include "mail/content/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice in = slice_of(data, size), line, name, value;
    enum header_kind kind;
    struct mime m;
    bool starts = true;

    mime_init(&m, 1000, 70, 5);
    while (cut_field(&in, '\n', &line) && header_line_parse(line, &name, &kind, &value))
        mime_header(&m, kind, line, value);
    mime_header_end(&m);
    while (cut_field(&in, '\n', &line)) {
        mime_body(&m, line, starts);
        starts = line.n == 0 || line.p[line.n - 1] != '\\';
    }
    mime_done(&m);
    return 0;
}
