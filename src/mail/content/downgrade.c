#include "mail/content/downgrade.h"

#include "core/base/cut.h"

/* A line of quoted-printable is broken before it would grow beyond 76 characters with its "=". */
enum { CODED_MOST = 72 };

void downgrade_init(struct downgrade *d, size_t header_most_bytes, size_t boundary_most_bytes, unsigned depth_most)
{
    *d = (struct downgrade){.starts_line = true};
    mime_init(&d->mime, boundary_most_bytes, depth_most);
    buf_init(&d->held, header_most_bytes);
    buf_init(&d->coded, CODED_MOST + 8);
}

void downgrade_done(struct downgrade *d)
{
    mime_done(&d->mime);
    buf_done(&d->held);
    buf_done(&d->coded);
}

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

static bool put_body(struct downgrade *d, slice text, bool ends_line, struct err *err)
{
    return d->encodes ? encode(d, text, ends_line, err) : d->put(d->arg, text, ends_line, err);
}

/* ---- headers ---- */

static bool is_eight_bit(const struct mime *m)
{
    return m->encoding == MIME_8BIT || m->encoding == MIME_BINARY;
}

/* The held header goes out, unless it announces what is no longer so. */
static bool release(struct downgrade *d, struct err *err)
{
    slice rest = buf_slice(&d->held), whole = slice_trim_end(rest), name, value, line;
    enum header_kind kind;
    bool out = true;

    if (rest.n == 0 || d->released)
        return true;
    if (header_line_parse(whole, &name, &kind, &value)) {
        if (kind == HEADER_CONTENT_TRANSFER_ENCODING && cut_word(&value, " \t\n;(", &line))
            value = line; /* "8bit (really)" */
        mime_header(&d->mime, kind, whole, value);
        out = kind != HEADER_CONTENT_TRANSFER_ENCODING || !is_eight_bit(&d->mime);
    }
    while (out && cut_field(&rest, '\n', &line))
        if (!d->put(d->arg, line, rest.n > 0 || d->held.p[d->held.n - 1] == '\n', err))
            return false;
    return true;
}

/* A piece of a header that begins or goes on. */
static bool hold(struct downgrade *d, slice text, bool ends_line, struct err *err)
{
    if (!d->released && buf_add(&d->held, text) && (!ends_line || buf_add_char(&d->held, '\n')))
        return true;
    if (!release(d, err))
        return false;
    d->released = true;
    return d->put(d->arg, text, ends_line, err);
}

static bool release_all(struct downgrade *d, struct err *err)
{
    bool out = release(d, err);

    buf_clear(&d->held);
    d->released = false;
    return out;
}

/* The end of a header, by an empty line, a boundary or the end of all. */
static bool end_headers(struct downgrade *d, struct err *err)
{
    bool leaf, eight_bit;

    if (!release_all(d, err))
        return false;
    eight_bit = is_eight_bit(&d->mime);
    leaf = d->mime.entity == MIME_LEAF;
    d->encodes = eight_bit && leaf;
    return !eight_bit ||
           d->put(d->arg,
                  leaf ? S("Content-Transfer-Encoding: quoted-printable") : S("Content-Transfer-Encoding: 7bit"), true,
                  err);
}

static bool header_text(struct downgrade *d, slice text, bool starts_line, bool ends_line, struct err *err)
{
    bool continues = !starts_line || (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t'));
    enum header_kind kind;
    slice name, value;

    if (continues && d->held.n > 0)
        return hold(d, text, ends_line, err);
    if (header_line_parse(text, &name, &kind, &value))
        return release_all(d, err) && hold(d, text, ends_line, err);
    if (!end_headers(d, err))
        return false;
    if (mime_at_boundary(&d->mime, text))
        d->encodes = false;
    else
        mime_header_end(&d->mime);
    return put_body(d, text, ends_line, err);
}

static bool body_text(struct downgrade *d, slice text, bool starts_line, bool ends_line, struct err *err)
{
    if (starts_line && mime_at_boundary(&d->mime, text))
        d->encodes = false;
    return put_body(d, text, ends_line, err);
}

bool downgrade_text(struct downgrade *d, slice text, bool ends_line, struct err *err)
{
    bool starts_line = d->starts_line;

    d->starts_line = ends_line;
    return d->mime.in_header ? header_text(d, text, starts_line, ends_line, err)
                             : body_text(d, text, starts_line, ends_line, err);
}

bool downgrade_end(struct downgrade *d, struct err *err)
{
    if (d->mime.in_header)
        return end_headers(d, err);
    return !d->encodes || d->starts_line || encode(d, S(""), true, err);
}
