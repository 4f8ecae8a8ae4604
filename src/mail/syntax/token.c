#include "mail/syntax/token.h"

/* How long the part of IN that ends in CLOSE is; IN starts with the opening mark.  Backslash escapes;
 * nothing nests when both marks are alike. */
static size_t enclosed(slice in, char open, char close, bool *closed)
{
    unsigned depth = 1;

    *closed = true;
    for (size_t i = 1; i < in.n; i++) {
        if (in.p[i] == '\\')
            i++;
        else if (in.p[i] == close && --depth == 0)
            return i + 1;
        else if (in.p[i] == open)
            depth++;
    }
    *closed = false;
    return in.n;
}

static size_t atom_length(slice in)
{
    size_t i = 0;

    while (i < in.n && !ascii_is_space(in.p[i]) && (in.p[i] == '\0' || strchr("()<>@,;:\".[]", in.p[i]) == NULL))
        i += in.p[i] == '\\' && i + 1 < in.n ? 2 : 1;
    return i;
}

bool cut_token(slice *rest, struct token *out)
{
    slice in = *rest;
    struct token t = {.closed = true};
    size_t n;

    while (in.n > 0 && ascii_is_space(in.p[0]))
        in = slice_skip(in, 1);
    if (in.n == 0)
        return false;
    t.blanks = rest->n - in.n;
    switch (in.p[0]) {
    case '(':
        t.kind = TOKEN_COMMENT;
        n = enclosed(in, '(', ')', &t.closed);
        break;
    case '"':
        t.kind = TOKEN_QUOTED;
        n = enclosed(in, '"', '"', &t.closed);
        break;
    case '[':
        t.kind = TOKEN_LITERAL;
        n = enclosed(in, ']', ']', &t.closed);
        break;
    default:
        t.kind = TOKEN_ATOM;
        n = atom_length(in);
        if (n == 0) {
            t.kind = TOKEN_SPECIAL;
            n = 1;
        }
    }
    t.text = slice_head(in, n);
    *rest = slice_skip(in, n);
    *out = t;
    return true;
}
