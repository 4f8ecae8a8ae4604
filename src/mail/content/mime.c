#include "mail/content/mime.h"

#include "core/base/cut.h"

void mime_init(struct mime *m, size_t boundary_most_bytes, unsigned depth_most)
{
    *m = (struct mime){.in_header = true, .boundary_most = boundary_most_bytes, .depth_most = depth_most};
    buf_init(&m->boundary, boundary_most_bytes);
    buf_init(&m->open, (boundary_most_bytes + 3) * (depth_most + 1));
}

void mime_done(struct mime *m)
{
    buf_done(&m->boundary);
    buf_done(&m->open);
}

bool mime_has_eight_bits(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 128)
            return true;
    return false;
}

/* ---- Content-Type ---- */

/* The next part of a header value up to ';', without comments and with quotes removed. */
static bool cut_parameter(slice *rest, struct buf *out)
{
    unsigned comment = 0;
    bool quoted = false, any = rest->n > 0;
    slice in = *rest;

    buf_clear(out);
    for (; in.n > 0 && (in.p[0] != ';' || quoted || comment > 0); in = slice_skip(in, 1)) {
        char c = in.p[0];

        if (c == '\\' && (quoted || comment > 0) && in.n > 1) {
            in = slice_skip(in, 1);
            c = in.p[0];
        } else if (!quoted && (c == '(' || (c == ')' && comment > 0))) {
            comment = c == '(' ? comment + 1 : comment - 1;
            continue;
        } else if (c == '"' && comment == 0) {
            quoted = !quoted;
            continue;
        }
        if (comment == 0 && (quoted || !ascii_is_space(c)))
            (void)buf_add_char(out, c);
    }
    *rest = slice_skip(in, 1);
    return any;
}

static void content_type(struct mime *m, slice value)
{
    AUTO_BUF struct buf part = BUF_INIT(m->boundary_most + 100);
    slice text;

    m->entity = MIME_LEAF;
    m->plain_domain = false;
    buf_clear(&m->boundary);
    if (!cut_parameter(&value, &part))
        return;
    text = buf_slice(&part);
    m->plain_domain = slice_eq_case(text, S("message/rfc822"));
    if (m->plain_domain || slice_eq_case(text, S("message/global")))
        m->entity = MIME_MESSAGE;
    if (!slice_starts_case(text, S("multipart/")))
        return;
    m->plain_domain = true;
    m->entity = slice_eq_case(text, S("multipart/digest")) ? MIME_DIGEST : MIME_MULTIPART;
    while (cut_parameter(&value, &part)) {
        text = buf_slice(&part);
        if (cut_prefix_case(&text, S("boundary=")) && m->boundary.n == 0)
            (void)buf_add(&m->boundary, slice_head(text, m->boundary_most));
    }
}

/* ---- Content-Transfer-Encoding ---- */

static const struct {
    slice text;
    enum mime_encoding encoding;
} encodings[] = {
    {S_INIT("7bit"), MIME_7BIT},     {S_INIT("8bit"), MIME_8BIT},
    {S_INIT("binary"), MIME_BINARY}, {S_INIT("quoted-printable"), MIME_QUOTED_PRINTABLE},
    {S_INIT("base64"), MIME_BASE64},
};

const char *mime_encoding_name(enum mime_encoding e)
{
    return encodings[e].text.p;
}

static enum mime_encoding encoding_of(slice value)
{
    while (value.n > 0 && ascii_is_space(value.p[0]))
        value = slice_skip(value, 1);
    for (size_t i = 0; i < COUNT_OF(encodings); i++)
        if (slice_eq_case(value, encodings[i].text))
            return encodings[i].encoding;
    return MIME_7BIT;
}

void mime_header(struct mime *m, enum header_kind kind, slice text, slice value)
{
    m->eight_bit_header = m->eight_bit_header || mime_has_eight_bits(text);
    if (kind == HEADER_CONTENT_TYPE) {
        content_type(m, value);
    } else if (kind == HEADER_CONTENT_TRANSFER_ENCODING) {
        m->encoding = encoding_of(value);
        m->eight_bit_body = m->eight_bit_body || m->encoding == MIME_8BIT || m->encoding == MIME_BINARY;
    }
}

/* ---- the open multiparts ---- */

enum { LEVEL_TAIL = 3 };

static void push(struct mime *m)
{
    const char tail[LEVEL_TAIL] = {(char)(m->boundary.n & 255), (char)(m->boundary.n >> 8), m->entity == MIME_DIGEST};

    if (m->depth >= m->depth_most)
        return;
    (void)buf_add(&m->open, buf_slice(&m->boundary));
    (void)buf_add(&m->open, slice_of(tail, LEVEL_TAIL));
    m->depth++;
}

static void begin_headers(struct mime *m, enum mime_place place, enum mime_entity entity)
{
    m->in_header = true;
    m->place = place;
    m->entity = entity;
    m->encoding = MIME_7BIT;
    m->plain_domain = false;
    buf_clear(&m->boundary);
}

void mime_header_end(struct mime *m)
{
    m->in_header = false;
    if (m->entity == MIME_MESSAGE)
        begin_headers(m, MIME_NESTED, MIME_LEAF);
    else if (m->boundary.n > 0)
        push(m);
}

/* The innermost multipart whose boundary LINE starts with; those within it are closed. */
bool mime_at_boundary(struct mime *m, slice line)
{
    size_t end = m->open.n;

    if (m->depth == 0 || !cut_prefix(&line, S("--")))
        return false;
    for (unsigned level = m->depth; level > 0; level--) {
        const unsigned char *tail = (const unsigned char *)m->open.p + end - LEVEL_TAIL;
        size_t bytes = tail[0] + ((size_t)tail[1] << 8), start = end - LEVEL_TAIL - bytes;

        if (slice_starts(line, slice_of(m->open.p + start, bytes))) {
            bool closes = slice_starts(slice_skip(line, bytes), S("--")), digest = tail[2] != 0;

            m->depth = closes ? level - 1 : level;
            buf_truncate(&m->open, closes ? start : end);
            if (closes) {
                m->in_header = false;
                m->encoding = MIME_7BIT;
            } else {
                begin_headers(m, MIME_PART, digest ? MIME_MESSAGE : MIME_LEAF);
            }
            return true;
        }
        end = start;
    }
    return false;
}
