#include "mail/content/downgrade.h"

/* A line of quoted-printable is broken before it would grow beyond 76 characters with its "=". */
enum { CODED_MOST = 72 };

/* ---- quoted-printable ---- */

static bool code(struct downgrade *d, unsigned char c, bool as_hex, struct err *err)
{
    if (d->coded.n > CODED_MOST) {
        if (!buf_add_char(&d->coded, '=') || !d->put(d->arg, buf_slice(&d->coded), true, err))
            return false;
        buf_clear(&d->coded);
    }
    return as_hex ? buf_addf(&d->coded, "=%02X", c) : buf_add_char(&d->coded, (char)c);
}

static bool encode(struct downgrade *d, slice text, bool ends_line, struct err *err)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool is_blank = c == ' ' || c == '\t';

        if (d->blank != '\0' && !code(d, (unsigned char)d->blank, false, err))
            return false;
        d->blank = is_blank ? (char)c : '\0';
        if (!is_blank && !code(d, c, c < ' ' || c >= 127 || c == '=', err))
            return false;
    }
    if (!ends_line)
        return true;
    if (d->blank != '\0' && !code(d, (unsigned char)d->blank, true, err))
        return false;
    d->blank = '\0';
    if (!d->put(d->arg, buf_slice(&d->coded), true, err))
        return false;
    buf_clear(&d->coded);
    return true;
}

/* ---- what is followed ---- */

static bool is_eight_bit(const struct mime *m)
{
    return m->encoding == MIME_8BIT || m->encoding == MIME_BINARY;
}

/* A header goes out, unless it announces what is no longer so. */
static bool header(void *arg, enum header_kind kind, slice text, bool ended, struct err *err)
{
    struct downgrade *d = arg;

    return (kind == HEADER_CONTENT_TRANSFER_ENCODING && is_eight_bit(&d->follow.mime)) ||
           follow_put_lines(text, ended, d->put, d->arg, err);
}

static bool piece(void *arg, slice text, bool ends_line, struct err *err)
{
    struct downgrade *d = arg;

    return d->put(d->arg, text, ends_line, err);
}

static bool headers_end(void *arg, struct err *err)
{
    struct downgrade *d = arg;
    bool eight_bit = is_eight_bit(&d->follow.mime), leaf = d->follow.mime.entity == MIME_LEAF;

    d->encodes = eight_bit && leaf;
    return !eight_bit ||
           d->put(d->arg,
                  leaf ? S("Content-Transfer-Encoding: quoted-printable") : S("Content-Transfer-Encoding: 7bit"), true,
                  err);
}

static bool body(void *arg, slice text, bool ends_line, bool boundary, struct err *err)
{
    struct downgrade *d = arg;

    if (boundary)
        d->encodes = false;
    return d->encodes ? encode(d, text, ends_line, err) : d->put(d->arg, text, ends_line, err);
}

void downgrade_init(struct downgrade *d, size_t header_most_bytes, size_t boundary_most_bytes, unsigned depth_most)
{
    const struct follow_hooks hooks = {d, header, piece, headers_end, body};

    *d = (struct downgrade){0};
    follow_init(&d->follow, &hooks, header_most_bytes, boundary_most_bytes, depth_most);
    buf_init(&d->coded, CODED_MOST + 8);
}

void downgrade_done(struct downgrade *d)
{
    follow_done(&d->follow);
    buf_done(&d->coded);
}

bool downgrade_text(struct downgrade *d, slice text, bool ends_line, struct err *err)
{
    return follow_text(&d->follow, text, ends_line, err);
}

bool downgrade_end(struct downgrade *d, struct err *err)
{
    if (d->follow.mime.in_header)
        return follow_end(&d->follow, err);
    return !d->encodes || d->follow.starts_line || encode(d, S(""), true, err);
}
