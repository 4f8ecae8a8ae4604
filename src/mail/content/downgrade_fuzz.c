#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "mail/content/downgrade.h"

struct output {
    size_t line; /* bytes of the line so far */
    const struct downgrade *d;
};

/* What is encoded has short lines of plain characters. */
static bool take(void *arg, slice text, bool ends_line, struct err *err)
{
    struct output *o = arg;

    (void)err;
    o->line += text.n;
    if (o->d->encodes && !o->d->follow.mime.in_header) {
        assert(o->line <= 76);
        for (size_t i = 0; i < text.n; i++)
            assert((unsigned char)text.p[i] < 127 && ((unsigned char)text.p[i] >= ' ' || text.p[i] == '\t'));
    }
    if (ends_line)
        o->line = 0;
    return true;
}

/* The first byte is the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice in = slice_of(data, size);
    struct output output = {0};
    AUTO_DOWNGRADE struct downgrade d;
    struct err err;

    downgrade_init(&d, 200, 70, 4);
    d.put = take;
    d.arg = &output;
    output.d = &d;
    if (in.n == 0)
        return 0;
    size_t piece = 1 + (unsigned char)in.p[0];
    in = slice_skip(in, 1);
    while (in.n > 0) {
        size_t end = slice_find(in, '\n');
        bool ends = end != SLICE_NONE && end <= piece;
        slice text = slice_head(in, ends ? end : piece);

        assert(downgrade_text(&d, text, ends, &err));
        in = slice_skip(in, text.n + ends);
    }
    assert(downgrade_end(&d, &err));
    return 0;
}
