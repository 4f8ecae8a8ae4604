#include "mail/content/wrap.h"

/* Where to break TEXT so that at most WIDTH bytes stay: at the last blank that fits, else at the first one. */
static size_t break_at(slice text, size_t width)
{
    size_t at;

    if (text.n <= width)
        return text.n;
    for (at = width; at > 0; at--)
        if (text.p[at] == ' ')
            return at;
    at = slice_find(text, ' ');
    return at == SLICE_NONE || at == 0 ? text.n : at;
}

void wrap_next(slice *text, bool first, int indent, struct buf *line)
{
    size_t at = break_at(*text, (size_t)(first ? WRAP_WIDTH : WRAP_WIDTH - indent));

    buf_clear(line);
    if (!first)
        (void)buf_addf(line, "%*s", indent, "");
    (void)buf_add(line, slice_head(*text, at));
    *text = slice_skip(*text, at);
    while (text->n > 0 && text->p[0] == ' ')
        *text = slice_skip(*text, 1);
}
