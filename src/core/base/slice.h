/* core/base/slice.h - a view of bytes: pointer and length.  Never owns, never ends in NUL by promise.
 *
 * An empty slice may have any pointer.  Passed by value.  Nothing here allocates or fails. */
#ifndef CORE_BASE_SLICE_H
#define CORE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct slice {
    const char *p;
    size_t n;
} slice;

/* A slice of a string literal; S_INIT for static tables. */
#define S(literal) ((slice){"" literal, sizeof(literal) - 1})
#define S_INIT(literal) {"" literal, sizeof(literal) - 1}
/* For printf's "%.*s". */
#define S_ARG(s) (int)(s).n, (s).p

static inline slice slice_of(const void *p, size_t n)
{
    return (slice){p, n};
}

/* TEXT may be NULL: empty. */
static inline slice slice_text(const char *text)
{
    return (slice){text, text == NULL ? 0 : strlen(text)};
}

static inline bool slice_eq(slice a, slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* The first N bytes (or all), and what follows them. */
static inline slice slice_head(slice s, size_t n)
{
    return (slice){s.p, n < s.n ? n : s.n};
}

static inline slice slice_skip(slice s, size_t n)
{
    return n < s.n ? (slice){s.p + n, s.n - n} : (slice){s.n > 0 ? s.p + s.n : s.p, 0};
}

/* ASCII case folded; bytes above 127 compare as they are. */
bool slice_eq_case(slice a, slice b);
/* Like memcmp: bytes first, then the shorter is the smaller. */
int slice_cmp(slice a, slice b);
bool slice_starts(slice s, slice prefix);
bool slice_starts_case(slice s, slice prefix);
bool slice_ends(slice s, slice suffix);
bool slice_ends_case(slice s, slice suffix);

#define SLICE_NONE ((size_t)-1)
/* Index of the first or last C, or SLICE_NONE. */
size_t slice_find(slice s, char c);
size_t slice_find_last(slice s, char c);
/* Index of the first byte that is in SET, or SLICE_NONE. */
size_t slice_find_any(slice s, const char *set);
size_t slice_find_slice(slice s, slice what);
bool slice_has_nul(slice s);

/* Without blanks (space, tab, CR, LF, VT, FF) at both ends. */
slice slice_trim(slice s);
slice slice_trim_end(slice s);

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool ascii_is_alnum(char c)
{
    return ascii_is_digit(c) || ascii_is_alpha(c);
}

static inline bool ascii_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool ascii_is_print(char c)
{
    return c >= ' ' && c <= '~';
}

#endif
