/* Any bytes as a header line and as an address list. */
#include "core/base/bug.h"
#include "mail/syntax/header.h"
#include "mail/syntax/token.h"

static bool inside(slice part, slice whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice in = slice_of(data, size), name, value, rest = in;
    AUTO_ARENA struct arena arena = ARENA_INIT(1U << 22);
    struct header_address a;
    enum header_kind kind;
    struct token t;
    size_t seen = 0;

    if (header_line_parse(in, &name, &kind, &value))
        BUG_IF(!inside(name, in) || !inside(value, in) || name.n == 0);
    while (cut_token(&rest, &t)) {
        BUG_IF(!inside(t.text, in) || t.text.n == 0 || t.text.p != in.p + seen + t.blanks);
        seen += t.blanks + t.text.n;
    }
    rest = in;
    while (header_next_address(&rest, &arena, &a))
        BUG_IF(!inside(a.before, in) || !inside(a.external, in) || a.before.p + a.before.n != a.external.p);
    return 0;
}
