#include "mail/content/mime.h"

#include "core/base/cut.h"

void mime_init(struct mime *m, size_t header_most_bytes, size_t boundary_most_bytes, unsigned depth_most)
{
    *m = (struct mime){.header_most = header_most_bytes, .boundary_most = boundary_most_bytes, .depth_most = depth_most};
    buf_init(&m->boundary, boundary_most_bytes);
    buf_init(&m->open, (boundary_most_bytes + 3) * (depth_most + 1));
    buf_init(&m->header, header_most_bytes);
}

void mime_done(struct mime *m)
{
    buf_done(&m->boundary);
    buf_done(&m->open);
    buf_done(&m->header);
}

static bool has_eight_bits(slice s)
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
    buf_clear(&m->boundary);
    if (!cut_parameter(&value, &part))
        return;
    text = buf_slice(&part);
    if (slice_eq_case(text, S("message/rfc822")) || slice_eq_case(text, S("message/global")))
        m->entity = MIME_MESSAGE;
    if (!slice_starts_case(text, S("multipart/")))
        return;
    m->entity = slice_eq_case(text, S("multipart/digest")) ? MIME_DIGEST : MIME_MULTIPART;
    while (cut_parameter(&value, &part)) {
        text = buf_slice(&part);
        if (cut_prefix_case(&text, S("boundary=")) && m->boundary.n == 0)
            (void)buf_add(&m->boundary, slice_head(text, m->boundary_most));
    }
}

void mime_header(struct mime *m, enum header_kind kind, slice text, slice value)
{
    m->eight_bit_header = m->eight_bit_header || has_eight_bits(text);
    if (kind == HEADER_CONTENT_TYPE) {
        content_type(m, value);
    } else if (kind == HEADER_CONTENT_TRANSFER_ENCODING) {
        value = slice_trim(value);
        if (slice_eq_case(value, S("8bit")) || slice_eq_case(value, S("binary")))
            m->eight_bit_body = true;
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

static void begin_part(struct mime *m, enum mime_entity entity)
{
    m->in_header = true;
    m->entity = entity;
    buf_clear(&m->boundary);
    buf_clear(&m->header);
}

void mime_header_end(struct mime *m)
{
    m->in_header = false;
    if (m->entity == MIME_MESSAGE)
        begin_part(m, MIME_LEAF);
    else if (m->boundary.n > 0)
        push(m);
}

/* LINE starts with "--": is it a boundary of an open multipart?  That one, innermost first, closes those within. */
static bool at_boundary(struct mime *m, slice line)
{
    size_t end = m->open.n;

    line = slice_skip(line, 2);
    for (unsigned level = m->depth; level > 0; level--) {
        const unsigned char *tail = (const unsigned char *)m->open.p + end - LEVEL_TAIL;
        size_t bytes = tail[0] + ((size_t)tail[1] << 8), start = end - LEVEL_TAIL - bytes;

        if (slice_starts(line, slice_of(m->open.p + start, bytes))) {
            bool closes = slice_starts(slice_skip(line, bytes), S("--")), digest = tail[2] != 0;

            m->depth = closes ? level - 1 : level;
            buf_truncate(&m->open, closes ? start : end);
            m->in_header = false;
            if (!closes)
                begin_part(m, digest ? MIME_MESSAGE : MIME_LEAF);
            return true;
        }
        end = start;
    }
    return false;
}

/* ---- nested headers ---- */

static void end_nested(struct mime *m)
{
    slice text = buf_slice(&m->header), name, value;
    enum header_kind kind;

    if (text.n > 0 && header_line_parse(text, &name, &kind, &value))
        mime_header(m, kind, text, value);
    buf_clear(&m->header);
}

static void add_nested(struct mime *m, slice text)
{
    (void)buf_add(&m->header, slice_head(text, m->header_most - m->header.n));
}

static void nested_line(struct mime *m, slice text, bool starts_line)
{
    slice name, value;
    enum header_kind kind;

    if (!starts_line && m->header.n == 0)
        return;
    if (!starts_line || (m->header.n > 0 && text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))) {
        add_nested(m, text);
        return;
    }
    end_nested(m);
    if (header_line_parse(text, &name, &kind, &value))
        add_nested(m, text);
    else
        mime_header_end(m);
}

void mime_body(struct mime *m, slice text, bool starts_line)
{
    if (m->depth == 0 && !m->in_header)
        return;
    if (m->depth > 0 && starts_line && text.n > 2 && text.p[0] == '-' && text.p[1] == '-') {
        if (m->in_header)
            end_nested(m);
        if (at_boundary(m, text))
            return;
    }
    if (m->in_header)
        nested_line(m, text, starts_line);
}
