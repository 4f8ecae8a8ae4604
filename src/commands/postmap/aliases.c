#include "commands/postmap/aliases.h"

/* The name up to its colon: bare, or in quotes with backslashes. */
static bool cut_name(slice *line, struct buf *key)
{
    bool quoted = false;

    buf_clear(key);
    while (line->n > 0 && (quoted || line->p[0] != ':')) {
        char c = line->p[0];

        *line = slice_skip(*line, 1);
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        if (c == '\\' && line->n > 0) {
            c = line->p[0];
            *line = slice_skip(*line, 1);
        }
        (void)buf_add_char(key, ascii_lower(c));
    }
    if (quoted || line->n == 0)
        return false;
    *line = slice_skip(*line, 1);
    return true;
}

static void trim(struct buf *b)
{
    slice whole = slice_trim(buf_slice(b));
    size_t front = whole.n > 0 ? (size_t)(whole.p - b->p) : b->n;

    buf_consume(b, front);
    buf_truncate(b, whole.n);
}

bool alias_line_parse(slice line, struct buf *key, struct buf *value)
{
    bool quoted = false;
    int depth = 0;

    if (!cut_name(&line, key))
        return false;
    trim(key);
    buf_clear(value);
    for (; line.n > 0; line = slice_skip(line, 1)) {
        char c = line.p[0];

        if (c == '\\' && line.n > 1) {
            if (depth == 0)
                (void)buf_add(value, slice_head(line, 2));
            line = slice_skip(line, 1);
            continue;
        }
        if (c == '"' && depth == 0)
            quoted = !quoted;
        if (!quoted && c == '(')
            depth++;
        if (depth == 0)
            (void)buf_add_char(value, c == '\n' || c == '\t' ? ' ' : c);
        if (!quoted && c == ')' && depth > 0)
            depth--;
    }
    trim(value);
    return !quoted && key->n > 0 && value->n > 0;
}
