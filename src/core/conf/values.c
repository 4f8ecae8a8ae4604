#include "core/base/cut.h"
#include "core/conf/main_cf.h"

bool conf_parse_bool(slice text, bool *out)
{
    bool yes = slice_eq_case(text, S("yes"));

    if (!yes && !slice_eq_case(text, S("no")))
        return false;
    *out = yes;
    return true;
}

bool conf_parse_int(slice text, int64_t *out)
{
    cut_char(&text, '+');
    return slice_to_i64(text, out);
}

static int64_t unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 7 * 86400;
    default:
        return 0;
    }
}

bool conf_parse_time(slice text, char default_unit, int64_t *out_us)
{
    int64_t count = 0, seconds;
    char unit = default_unit;

    if (text.n == 0 || (!cut_u63(&text, &count) && ascii_is_digit(text.p[0])) || text.n > 1)
        return false; /* a unit alone is zero */
    if (text.n == 1)
        unit = text.p[0];
    seconds = unit_seconds(unit);
    if (seconds == 0 || __builtin_mul_overflow(count, seconds, &seconds) || seconds > INT32_MAX)
        return false;
    *out_us = seconds * 1000000;
    return true;
}

bool conf_parse_level(slice text, int64_t *out)
{
    unsigned part[3] = {0};
    int count = 0;

    do {
        if (count == 3 || !cut_uint(&text, 1, 3, &part[count]))
            return false;
        count++;
    } while (cut_char(&text, '.'));
    if (text.n > 0)
        return false;
    *out = part[0] * INT64_C(1000000) + part[1] * 1000 + part[2];
    return true;
}

/* Index behind the brace that closes the one at TEXT's start, or SLICE_NONE. */
static size_t braces_end(slice text)
{
    int depth = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '{')
            depth++;
        else if (text.p[i] == '}' && --depth == 0)
            return i + 1;
    }
    return SLICE_NONE;
}

enum conf_got conf_next_item(slice *list, const char *separators, slice *item, bool *braced, struct err *err)
{
    slice s = *list;
    size_t end = 0;

    while (s.n > 0 && strchr(separators, s.p[0]) != NULL && s.p[0] != '\0')
        s = slice_skip(s, 1);
    if (s.n == 0) {
        *list = s;
        return CONF_END;
    }
    if (s.p[0] == '{') {
        end = braces_end(s);
        if (end == SLICE_NONE) {
            err_set(err, ERR_SYNTAX, "missing '}' in \"%.*s\"", S_ARG(s));
            return CONF_FAILED;
        }
        if (end < s.n && strchr(separators, s.p[end]) == NULL) {
            err_set(err, ERR_SYNTAX, "syntax error after '}' in \"%.*s\"", S_ARG(s));
            return CONF_FAILED;
        }
        *item = slice_trim(slice_of(s.p + 1, end - 2));
        *braced = true;
        *list = slice_skip(s, end);
        return CONF_ITEM;
    }
    /* Braces inside an item keep separators too: check_x{a, b}. */
    for (int depth = 0; end < s.n; end++) {
        char c = s.p[end];

        if (c == '{')
            depth++;
        else if (c == '}' && depth > 0)
            depth--;
        else if (depth == 0 && c != '\0' && strchr(separators, c) != NULL)
            break;
    }
    *item = slice_head(s, end);
    *braced = false;
    *list = slice_skip(s, end);
    return CONF_ITEM;
}
