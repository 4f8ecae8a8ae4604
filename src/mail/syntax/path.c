#include "mail/syntax/address.h"
#include "mail/syntax/token.h"

/* Where the path that IN starts with ends: behind the '>' of "<...>", or at the first blank outside quotes. */
static size_t path_length(slice in)
{
    slice rest = in;
    bool angle = in.n > 0 && in.p[0] == '<';
    struct token t;

    while (cut_token(&rest, &t)) {
        size_t end = (size_t)(t.text.p - in.p) + t.text.n;

        if (!t.closed)
            return 0;
        if (angle ? token_is(&t, '>') : rest.n == 0 || rest.p[0] == ' ' || rest.p[0] == '\t')
            return end;
    }
    return 0;
}

/* Skips "@a,@b:".  A ':' without a route before it is bad syntax, found later. */
static slice without_route(slice path)
{
    slice rest = path;
    struct token t;

    if (path.n == 0 || path.p[0] != '@')
        return path;
    while (cut_token(&rest, &t))
        if (token_is(&t, ':'))
            return rest;
    return path;
}

/* Copies the address without comments and blanks; refuses what cannot be in an address. */
static bool add_external(slice path, bool strict, struct buf *out)
{
    struct token t;
    bool atom_before = false;

    while (cut_token(&path, &t)) {
        bool is_word = t.kind == TOKEN_ATOM || t.kind == TOKEN_QUOTED || t.kind == TOKEN_LITERAL;

        if (t.kind == TOKEN_COMMENT) {
            if (strict)
                return false;
            continue;
        }
        if (!t.closed || (is_word && atom_before && t.blanks > 0) || (strict && t.blanks > 0))
            return false;
        if (!is_word && !token_is(&t, '@') && !token_is(&t, '.') && !token_is(&t, ':'))
            return false;
        if (!buf_add(out, t.text))
            return false;
        atom_before = is_word;
    }
    return true;
}

bool cut_smtp_path(slice *line, const struct smtp_path_options *o, struct buf *out)
{
    AUTO_BUF struct buf external = BUF_INIT(4096);
    slice in = *line, path;
    size_t n, start = out->n;

    while (in.n > 0 && (in.p[0] == ' ' || in.p[0] == '\t'))
        in = slice_skip(in, 1);
    n = path_length(in);
    path = slice_head(in, n);
    if (n == 0)
        return false;
    if (path.p[0] == '<')
        path = slice_of(path.p + 1, n - 2);
    else if (o->strict)
        return false;
    if (!o->strict)
        path = slice_trim(path);
    if (!add_external(without_route(path), o->strict, &external) || (external.n == 0 && !o->allow_empty) ||
        !address_unquote(buf_slice(&external), out)) {
        buf_truncate(out, start);
        return false;
    }
    *line = slice_skip(in, n);
    return true;
}
