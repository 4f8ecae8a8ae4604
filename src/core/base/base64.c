#include "core/base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_encode(slice in, struct buf *out)
{
    char *to = buf_reserve(out, (in.n + 2) / 3 * 4);

    if (to == NULL)
        return false;
    for (size_t i = 0; i < in.n; i += 3) {
        unsigned have = in.n - i >= 3 ? 3 : (unsigned)(in.n - i);
        unsigned v = (unsigned)(unsigned char)in.p[i] << 16;

        if (have > 1)
            v |= (unsigned)(unsigned char)in.p[i + 1] << 8;
        if (have > 2)
            v |= (unsigned char)in.p[i + 2];
        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = have > 1 ? alphabet[v >> 6 & 63] : '=';
        *to++ = have > 2 ? alphabet[v & 63] : '=';
    }
    buf_commit(out, (in.n + 2) / 3 * 4);
    return true;
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(slice in, struct buf *out)
{
    if (in.n % 4 != 0)
        return false;
    for (size_t i = 0; i < in.n; i += 4) {
        const char *q = in.p + i;
        bool last = i + 4 == in.n;
        unsigned pad = last && q[3] == '=' ? (q[2] == '=' ? 2 : 1) : 0;
        unsigned v = 0;
        char bytes[3];

        for (unsigned k = 0; k < 4 - pad; k++) {
            int d = digit(q[k]);

            if (d < 0)
                return false;
            v |= (unsigned)d << (18 - 6 * k);
        }
        bytes[0] = (char)(v >> 16);
        bytes[1] = (char)(v >> 8 & 255);
        bytes[2] = (char)(v & 255);
        if (!buf_add(out, slice_of(bytes, 3 - pad)))
            return false;
    }
    return true;
}
