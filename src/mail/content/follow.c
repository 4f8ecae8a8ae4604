#include "mail/content/follow.h"

#include "core/base/cut.h"

void follow_init(struct follow *f, const struct follow_hooks *hooks, size_t header_most_bytes,
                 size_t boundary_most_bytes, unsigned depth_most)
{
    *f = (struct follow){.hooks = *hooks, .starts_line = true};
    mime_init(&f->mime, boundary_most_bytes, depth_most);
    buf_init(&f->held, header_most_bytes);
}

void follow_done(struct follow *f)
{
    mime_done(&f->mime);
    buf_done(&f->held);
}

bool follow_put_lines(slice text, bool ended, bool (*put)(void *arg, slice text, bool ends_line, struct err *),
                      void *arg, struct err *err)
{
    slice line;

    while (cut_field(&text, '\n', &line))
        if (!put(arg, line, text.n > 0 || ended, err))
            return false;
    return true;
}

/* The held header goes to whoever wants it. */
static bool release(struct follow *f, struct err *err)
{
    slice held = buf_slice(&f->held), whole = slice_trim_end(held), name, value, word;
    enum header_kind kind = HEADER_OTHER;
    bool ended;

    if (held.n == 0 || f->released)
        return true;
    ended = held.p[held.n - 1] == '\n';
    if (header_line_parse(whole, &name, &kind, &value)) {
        if (kind == HEADER_CONTENT_TRANSFER_ENCODING && cut_word(&value, " \t\n;(", &word))
            value = word; /* "8bit (really)" */
        mime_header(&f->mime, kind, whole, value);
    }
    return f->hooks.header(f->hooks.arg, kind, ended ? slice_head(held, held.n - 1) : held, ended, err);
}

/* A piece of a header that begins or goes on. */
static bool hold(struct follow *f, slice text, bool ends_line, struct err *err)
{
    if (!f->released && buf_add(&f->held, text) && (!ends_line || buf_add_char(&f->held, '\n')))
        return true;
    if (!release(f, err))
        return false;
    f->released = true;
    return f->hooks.piece(f->hooks.arg, text, ends_line, err);
}

static bool release_all(struct follow *f, struct err *err)
{
    bool out = release(f, err);

    buf_clear(&f->held);
    f->released = false;
    return out;
}

static bool end_headers(struct follow *f, struct err *err)
{
    return release_all(f, err) && f->hooks.headers_end(f->hooks.arg, err);
}

static bool header_text(struct follow *f, slice text, bool starts_line, bool ends_line, struct err *err)
{
    bool continues = !starts_line || (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t'));
    enum header_kind kind;
    slice name, value;

    if (continues && f->held.n > 0)
        return hold(f, text, ends_line, err);
    if (header_line_parse(text, &name, &kind, &value))
        return release_all(f, err) && hold(f, text, ends_line, err);
    if (!end_headers(f, err))
        return false;
    f->boundary = mime_at_boundary(&f->mime, text);
    if (!f->boundary)
        mime_header_end(&f->mime);
    return f->hooks.body(f->hooks.arg, text, ends_line, f->boundary, err);
}

bool follow_text(struct follow *f, slice text, bool ends_line, struct err *err)
{
    bool starts_line = f->starts_line;

    f->starts_line = ends_line;
    if (starts_line)
        f->boundary = false;
    if (f->mime.in_header && !f->boundary)
        return header_text(f, text, starts_line, ends_line, err);
    if (starts_line)
        f->boundary = mime_at_boundary(&f->mime, text);
    return f->hooks.body(f->hooks.arg, text, ends_line, f->boundary, err);
}

bool follow_end(struct follow *f, struct err *err)
{
    return !f->mime.in_header || end_headers(f, err);
}
