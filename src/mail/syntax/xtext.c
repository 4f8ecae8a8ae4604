#include "mail/syntax/xtext.h"

#include "core/base/cut.h"
#include "core/base/utf8.h"

static bool is_plain(char c, slice special)
{
    return c > ' ' && c <= '~' && c != '+' && c != '=' && slice_find(special, c) == SLICE_NONE;
}

bool xtext_encode(slice in, slice special, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];
        const char coded[3] = {'+', digits[c >> 4], digits[c & 15]};

        if (is_plain((char)c, special) ? !buf_add_char(out, (char)c) : !buf_add(out, slice_of(coded, 3)))
            return false;
    }
    return true;
}

/* Senders also write lower case. */
static int hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_upper(c);
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool xtext_decode(slice in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];

        if (c == '+') {
            int high = i + 2 < in.n ? hex_value(in.p[i + 1]) : -1, low = high < 0 ? -1 : hex_value(in.p[i + 2]);

            if (low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (!buf_add_char(out, c))
            return false;
    }
    return true;
}

/* The code point of the character at the front of IN, which is cut off. */
static unsigned cut_code_point(slice *in)
{
    unsigned char first = (unsigned char)in->p[0];
    size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    unsigned code = more == 0 ? first : first & (0x3fU >> more);

    for (size_t i = 1; i <= more; i++) {
        if (i >= in->n || ((unsigned char)in->p[i] & 0xc0) != 0x80) { /* not UTF-8 */
            *in = slice_skip(*in, 1);
            return first;
        }
        code = code << 6 | ((unsigned char)in->p[i] & 0x3fU);
    }
    *in = slice_skip(*in, more + 1);
    return code;
}

bool uxtext_encode(slice in, slice special, struct buf *out)
{
    while (in.n > 0) {
        char c = in.p[0];

        if (is_plain(c, special) && c != '\\') {
            in = slice_skip(in, 1);
            if (!buf_add_char(out, c))
                return false;
        } else if (!buf_addf(out, "\\x{%02X}", cut_code_point(&in))) {
            return false;
        }
    }
    return true;
}

static bool add_code_point(unsigned code, struct buf *out)
{
    const char one[4] = {(char)code}, two[4] = {(char)(0xc0 | code >> 6), (char)(0x80 | (code & 0x3f))},
               three[4] = {(char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3f)), (char)(0x80 | (code & 0x3f))},
               four[4] = {(char)(0xf0 | code >> 18), (char)(0x80 | (code >> 12 & 0x3f)), (char)(0x80 | (code >> 6 & 0x3f)),
                          (char)(0x80 | (code & 0x3f))};

    if (code < 0x80)
        return buf_add(out, slice_of(one, 1));
    if (code < 0x800)
        return buf_add(out, slice_of(two, 2));
    return buf_add(out, code < 0x10000 ? slice_of(three, 3) : slice_of(four, 4));
}

bool uxtext_decode(slice in, struct buf *out)
{
    size_t start = out->n;

    while (in.n > 0) {
        unsigned code = 0;
        slice digits;

        if (!cut_prefix(&in, S("\\x{"))) {
            if (!buf_add_char(out, in.p[0]))
                return false;
            in = slice_skip(in, 1);
            continue;
        }
        if (!cut_until(&in, '}', &digits) || digits.n == 0 || digits.n > 6)
            return false;
        for (size_t i = 0; i < digits.n; i++) {
            if (hex_value(digits.p[i]) < 0)
                return false;
            code = code * 16 + (unsigned)hex_value(digits.p[i]);
        }
        if (code > 0x10ffff || !add_code_point(code, out))
            return false;
    }
    return utf8_valid(slice_skip(buf_slice(out), start));
}
