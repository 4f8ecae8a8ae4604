#include "core/base/slice.h"

bool slice_eq_case(slice a, slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

int slice_cmp(slice a, slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

    if (order != 0)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool slice_starts(slice s, slice prefix)
{
    return s.n >= prefix.n && slice_eq(slice_head(s, prefix.n), prefix);
}

bool slice_starts_case(slice s, slice prefix)
{
    return s.n >= prefix.n && slice_eq_case(slice_head(s, prefix.n), prefix);
}

bool slice_ends(slice s, slice suffix)
{
    return s.n >= suffix.n && slice_eq(slice_skip(s, s.n - suffix.n), suffix);
}

bool slice_ends_case(slice s, slice suffix)
{
    return s.n >= suffix.n && slice_eq_case(slice_skip(s, s.n - suffix.n), suffix);
}

size_t slice_find(slice s, char c)
{
    const char *at = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

    return at == NULL ? SLICE_NONE : (size_t)(at - s.p);
}

size_t slice_find_last(slice s, char c)
{
    for (size_t i = s.n; i > 0; i--)
        if (s.p[i - 1] == c)
            return i - 1;
    return SLICE_NONE;
}

size_t slice_find_any(slice s, const char *set)
{
    size_t members = strlen(set);

    if (members == 1)
        return slice_find(s, set[0]);
    for (size_t i = 0; i < s.n; i++)
        if (memchr(set, s.p[i], members) != NULL)
            return i;
    return SLICE_NONE;
}

size_t slice_find_slice(slice s, slice what)
{
    const char *at = memmem(s.p, s.n, what.p, what.n);

    return at == NULL ? SLICE_NONE : (size_t)(at - s.p);
}

bool slice_has_nul(slice s)
{
    return slice_find(s, '\0') != SLICE_NONE;
}

slice slice_trim_end(slice s)
{
    while (s.n > 0 && ascii_is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

slice slice_trim(slice s)
{
    while (s.n > 0 && ascii_is_space(s.p[0]))
        s = slice_skip(s, 1);
    return slice_trim_end(s);
}
