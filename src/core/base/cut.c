#include "core/base/cut.h"

#include <limits.h>

bool cut_char(slice *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = slice_skip(*s, 1);
    return true;
}

bool cut_prefix(slice *s, slice prefix)
{
    if (!slice_starts(*s, prefix))
        return false;
    *s = slice_skip(*s, prefix.n);
    return true;
}

bool cut_prefix_case(slice *s, slice prefix)
{
    if (!slice_starts_case(*s, prefix))
        return false;
    *s = slice_skip(*s, prefix.n);
    return true;
}

size_t cut_blanks(slice *s)
{
    size_t n = 0;

    while (n < s->n && (s->p[n] == ' ' || s->p[n] == '\t'))
        n++;
    *s = slice_skip(*s, n);
    return n;
}

bool cut_uint(slice *s, int min, int max, unsigned *out)
{
    unsigned value = 0;
    int digits = 0;

    while (digits < max && (size_t)digits < s->n && ascii_is_digit(s->p[digits])) {
        if (__builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (unsigned)(s->p[digits] - '0'), &value))
            return false;
        digits++;
    }
    if (digits < min || digits == 0)
        return false;
    *s = slice_skip(*s, (size_t)digits);
    *out = value;
    return true;
}

bool cut_u63(slice *s, int64_t *out)
{
    int64_t value = 0;
    size_t n = 0;

    for (; n < s->n && ascii_is_digit(s->p[n]); n++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, s->p[n] - '0', &value))
            return false;
    if (n == 0)
        return false;
    *s = slice_skip(*s, n);
    *out = value;
    return true;
}

bool cut_until(slice *s, char separator, slice *out)
{
    size_t at = slice_find(*s, separator);

    if (at == SLICE_NONE)
        return false;
    *out = slice_head(*s, at);
    *s = slice_skip(*s, at + 1);
    return true;
}

bool cut_field(slice *s, char separator, slice *out)
{
    if (s->n == 0)
        return false;
    if (!cut_until(s, separator, out)) {
        *out = *s;
        *s = slice_skip(*s, s->n);
    }
    return true;
}

bool cut_word(slice *s, const char *separators, slice *out)
{
    size_t members = strlen(separators);
    slice rest = *s;
    size_t n;

    while (rest.n > 0 && memchr(separators, rest.p[0], members) != NULL)
        rest = slice_skip(rest, 1);
    if (rest.n == 0)
        return false;
    n = slice_find_any(rest, separators);
    *out = slice_head(rest, n);
    *s = slice_skip(rest, n);
    return true;
}

bool words_have(slice list, slice word)
{
    slice each;

    while (cut_word(&list, ", \t\r\n", &each))
        if (slice_eq_case(each, word))
            return true;
    return false;
}

bool cut_while(slice *s, bool (*is)(char c), slice *out)
{
    size_t n = 0;

    while (n < s->n && is(s->p[n]))
        n++;
    if (n == 0)
        return false;
    *out = slice_head(*s, n);
    *s = slice_skip(*s, n);
    return true;
}

bool slice_to_i64(slice s, int64_t *out)
{
    bool minus = cut_char(&s, '-');
    int64_t value;

    if (!cut_u63(&s, &value) || s.n > 0)
        return false;
    *out = minus ? -value : value;
    return true;
}

bool slice_to_int(slice s, int *out)
{
    int64_t value;

    if (!slice_to_i64(s, &value) || value < INT_MIN || value > INT_MAX)
        return false;
    *out = (int)value;
    return true;
}

slice slice_of_u64(uint64_t value, char room[I64_TEXT])
{
    char *end = room + I64_TEXT, *at = end;

    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return slice_of(at, (size_t)(end - at));
}

slice slice_of_i64(int64_t value, char room[I64_TEXT])
{
    slice digits = slice_of_u64(value < 0 ? -(uint64_t)value : (uint64_t)value, room);
    char *minus = room + I64_TEXT - digits.n - 1;

    if (value >= 0)
        return digits;
    *minus = '-';
    return slice_of(minus, digits.n + 1);
}
