#include "mail/syntax/header.h"

struct name_row {
    slice text;
    enum header_kind kind;
};

static const struct name_row names[] = {
#define NAME_ROW(name, text) {S_INIT(text), HEADER_##name},
    HEADER_NAMES(NAME_ROW)};

enum header_kind header_kind_of(slice name)
{
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_eq_case(names[i].text, name))
            return names[i].kind;
    return HEADER_OTHER;
}

bool header_line_parse(slice line, slice *name, enum header_kind *kind, slice *value)
{
    size_t n = 0, colon;

    while (n < line.n && ascii_is_print(line.p[n]) && line.p[n] != ' ' && line.p[n] != ':')
        n++;
    colon = n;
    while (colon < line.n && (line.p[colon] == ' ' || line.p[colon] == '\t'))
        colon++;
    if (n == 0 || colon == line.n || line.p[colon] != ':')
        return false;
    *name = slice_head(line, n);
    *kind = header_kind_of(*name);
    *value = slice_skip(line, colon + 1);
    return true;
}

const char *header_kind_name(enum header_kind k)
{
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i].kind == k)
            return names[i].text.p;
    return "";
}
