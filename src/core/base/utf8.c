#include "core/base/utf8.h"

size_t utf8_length(slice text)
{
    unsigned char first, second;
    size_t n;

    if (text.n == 0)
        return 0;
    first = (unsigned char)text.p[0];
    if (first < 0x80)
        return 1;
    n = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
    if (n == 0 || text.n < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)text.p[i] & 0xc0) != 0x80)
            return 0;
    second = (unsigned char)text.p[1]; /* no longer form than needed, no surrogates, nothing beyond 10FFFF */
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
        (first == 0xf4 && second > 0x8f))
        return 0;
    return n;
}

bool utf8_valid(slice text)
{
    while (text.n > 0) {
        size_t n = utf8_length(text);

        if (n == 0)
            return false;
        text = slice_skip(text, n);
    }
    return true;
}
