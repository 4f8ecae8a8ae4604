#include "mail/policy/address_pattern.h"

#include <arpa/inet.h>

#include "core/base/cut.h"

static const char need_number[] = "need decimal number 0..255";
static const char need_number_or_bracket[] = "need decimal number 0..255 or \"[\"";

struct reader {
    slice text, rest;
    struct err *err;
};

/* PLACE is what was wrong, a part of the text: empty at its end. */
static bool wrong(const struct reader *r, const char *what, slice place)
{
    slice before = slice_head(r->text, (size_t)(place.p - r->text.p));
    slice behind = slice_skip(r->text, before.n + place.n);

    return err_set(r->err, ERR_SYNTAX, "%s at \"%.*s>%.*s<%.*s\"", what, S_ARG(before), S_ARG(place), S_ARG(behind));
}

static slice next_character(const struct reader *r)
{
    return slice_head(r->rest, 1);
}

static bool number(struct reader *r, const char *what, unsigned *out)
{
    slice digits = r->rest, all = r->rest;
    int n;

    if (!cut_while(&all, ascii_is_digit, &digits))
        return wrong(r, what, next_character(r));
    if (!slice_to_int(digits, &n) || n > 255)
        return wrong(r, what, digits);
    r->rest = all;
    *out = (unsigned)n;
    return true;
}

static void add_range(uint64_t set[4], unsigned from, unsigned to)
{
    for (unsigned n = from; n <= to; n++)
        set[n / 64] |= (uint64_t)1 << n % 64;
}

/* "2", "2..4" */
static bool range(struct reader *r, uint64_t set[4])
{
    unsigned from, to;
    slice place;

    if (!number(r, need_number, &from))
        return false;
    to = from;
    if (cut_prefix(&r->rest, S(".."))) {
        place = r->rest;
        if (!number(r, need_number, &to))
            return false;
        if (to < from)
            return wrong(r, "numeric range error", slice_head(place, place.n - r->rest.n));
    }
    add_range(set, from, to);
    return true;
}

static bool one_byte(struct reader *r, uint64_t set[4])
{
    unsigned n;

    if (!cut_char(&r->rest, '[')) {
        if (!number(r, need_number_or_bracket, &n))
            return false;
        add_range(set, n, n);
        return true;
    }
    do {
        if (!range(r, set))
            return false;
    } while (cut_char(&r->rest, ';'));
    return cut_char(&r->rest, ']') || wrong(r, "need \";\" or \"]\"", next_character(r));
}

bool address_pattern_parse(slice text, struct address_pattern *out, struct err *err)
{
    struct reader r = {text, text, err};
    struct address_pattern p = {0};

    if (text.n == 0)
        return err_set(err, ERR_SYNTAX, "empty address pattern");
    for (int i = 0; i < 4; i++) {
        if (i > 0 && !cut_char(&r.rest, '.'))
            return wrong(&r, "need \".\"", next_character(&r));
        if (!one_byte(&r, p.sets[i]))
            return false;
    }
    if (r.rest.n > 0)
        return wrong(&r, "garbage after pattern", r.rest);
    *out = p;
    return true;
}

bool address_pattern_has(const struct address_pattern *p, const struct endpoint *address)
{
    uint32_t v4;

    if (address->u.any.sa_family != AF_INET)
        return false;
    v4 = ntohl(address->u.v4.sin_addr.s_addr);
    for (int i = 0; i < 4; i++) {
        unsigned n = v4 >> (24 - 8 * i) & 255;

        if ((p->sets[i][n / 64] >> n % 64 & 1) == 0)
            return false;
    }
    return true;
}
