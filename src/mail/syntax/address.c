#include "mail/syntax/address.h"

void address_split(slice address, slice *local, slice *domain)
{
    size_t at = slice_find_last(address, '@');

    *local = slice_head(address, at);
    *domain = at == SLICE_NONE ? slice_of(address.p + address.n, 0) : slice_skip(address, at + 1);
}

/* RFC 5322 atext, and 8-bit characters, which need no quotes where they are allowed at all. */
static bool is_atom_char(char c)
{
    return (unsigned char)c >= 128 || (ascii_is_print(c) && c != ' ' && strchr("()<>@,;:\\\".[]", c) == NULL);
}

static bool is_dot_string(slice local)
{
    bool dot_before = true;

    for (size_t i = 0; i < local.n; i++) {
        if (local.p[i] == '.' ? dot_before : !is_atom_char(local.p[i]))
            return false;
        dot_before = local.p[i] == '.';
    }
    return !dot_before;
}

static bool add_quoted(slice local, struct buf *out)
{
    if (!buf_add_char(out, '"'))
        return false;
    for (size_t i = 0; i < local.n; i++) {
        char c = local.p[i];

        if ((c == '"' || c == '\\' || c == '\r') && !buf_add_char(out, '\\'))
            return false;
        if (!buf_add_char(out, c))
            return false;
    }
    return buf_add_char(out, '"');
}

bool address_quote(slice internal, struct buf *out)
{
    size_t at = slice_find_last(internal, '@');
    slice local = slice_head(internal, at);

    if (internal.n == 0 || is_dot_string(local))
        return buf_add(out, internal);
    return add_quoted(local, out) && (at == SLICE_NONE || buf_add(out, slice_skip(internal, at)));
}

/* The last '@' that is neither quoted nor escaped. */
static size_t external_at(slice external)
{
    size_t at = SLICE_NONE;
    bool quoted = false;

    for (size_t i = 0; i < external.n; i++) {
        if (external.p[i] == '\\')
            i++;
        else if (external.p[i] == '"')
            quoted = !quoted;
        else if (external.p[i] == '@' && !quoted)
            at = i;
    }
    return at;
}

bool address_unquote(slice external, struct buf *out)
{
    size_t at = external_at(external);
    slice local = slice_head(external, at);

    for (size_t i = 0; i < local.n; i++) {
        if (local.p[i] == '"')
            continue;
        if (local.p[i] == '\\' && i + 1 < local.n)
            i++;
        if (!buf_add_char(out, local.p[i]))
            return false;
    }
    return at == SLICE_NONE || buf_add(out, slice_skip(external, at));
}

/* Names whose hyphens are part of the name. */
static bool is_whole(slice local, slice delimiters)
{
    if (slice_eq_case(local, S("postmaster")) || slice_eq_case(local, S("mailer-daemon")) ||
        slice_eq_case(local, S("double-bounce")))
        return true;
    if (slice_find(delimiters, '-') == SLICE_NONE)
        return false;
    return slice_starts_case(local, S("owner-")) || slice_ends_case(local, S("-request"));
}

void address_split_extension(slice local, slice delimiters, slice *base, slice *extension)
{
    size_t n = 0;

    while (n < local.n && slice_find(delimiters, local.p[n]) == SLICE_NONE)
        n++;
    *base = local;
    *extension = slice_of(local.p + local.n, 0);
    if (n == 0 || n == local.n || is_whole(local, delimiters))
        return;
    *base = slice_head(local, n);
    *extension = slice_skip(local, n + 1);
}
