#include "core/base/cut.h"
#include "core/conf/main_cf.h"

/* The next physical line, without its line feed. */
static slice cut_line(slice *rest)
{
    slice line = *rest;
    size_t end = slice_find(*rest, '\n');

    if (end == SLICE_NONE) {
        *rest = slice_skip(*rest, rest->n);
        return line;
    }
    *rest = slice_skip(*rest, end + 1);
    return slice_head(line, end);
}

static bool is_comment_or_empty(slice line)
{
    slice text = slice_trim(line);

    return text.n == 0 || text.p[0] == '#';
}

bool conf_next_line(slice *rest, int *line_number, int *first_line, struct buf *out)
{
    bool found = false;

    buf_clear(out);
    while (rest->n > 0) {
        slice after = *rest, line = cut_line(&after);

        if (!is_comment_or_empty(line)) {
            if (found && !ascii_is_space(line.p[0]))
                return true;
            if (!found)
                *first_line = *line_number + 1;
            found = true;
            buf_add(out, line);
        }
        *rest = after;
        ++*line_number;
    }
    return found;
}
