/* Body lines that pass the rewriter as they are, many at a time. */
#include "mail/content/rewriter_inner.h"
#include "mail/queue/record.h"

/* Where the next stray CR and LF are, END standing for nowhere.  They may be in a record's head: then the search goes on
 * from its text. */
struct strays {
    const char *cr, *lf, *end;
};

static const char *next_of(char c, const char *from, const char *end)
{
    const char *at = memchr(from, c, (size_t)(end - from));

    return at == NULL ? end : at;
}

static bool has_stray(struct strays *s, const char *text, size_t n)
{
    if (s->cr < text)
        s->cr = next_of('\r', text, s->end);
    if (s->lf < text)
        s->lf = next_of('\n', text, s->end);
    return s->cr < text + n || s->lf < text + n;
}

/* How long the N record at P is, the *HEAD bytes before its text included, of the THERE bytes that are here.  0: it is another
 * kind, not all of it is here, or its length is not written in the shortest way. */
static size_t line_record(const char *p, size_t there, size_t *head)
{
    const unsigned char *byte = (const unsigned char *)p;
    size_t n;

    if (there < 3 || byte[0] != RECORD_TEXT || (byte[1] >= 128 && (byte[2] == 0 || byte[2] >= 128)))
        return 0;
    *head = byte[1] < 128 ? 2 : 3;
    n = byte[1] < 128 ? byte[1] : (byte[1] & 127U) | (size_t)byte[2] << 7;
    return there - *head >= n ? *head + n : 0;
}

static bool looks_at_bodies(const struct rewriter *w)
{
    const struct params *p = w->rules->params;

    return w->hooks.fault != NULL && (p->strict_8bitmime || p->strict_8bitmime_body) && w->mime.encoding == MIME_7BIT;
}

slice rewriter_plain(const struct rewriter *w, slice records)
{
    const char *p = records.p, *end = records.p + records.n;
    struct strays strays = {.cr = p, .lf = p, .end = end};
    bool cleans = w->rules->params->cleanup_replace_stray_cr_lf, in_parts = w->mime.depth > 0;
    size_t n, head;

    if (w->mime.in_header || w->header.n > 0 || w->line_open || looks_at_bodies(w))
        return slice_head(records, 0);
    while ((n = line_record(p, (size_t)(end - p), &head)) > 0) {
        slice text = slice_of(p + head, n - head);

        if (text.n > w->rules->line_most_bytes || (in_parts && slice_starts(text, S("--"))) ||
            (cleans && has_stray(&strays, text.p, text.n)))
            break;
        p += n;
    }
    return slice_head(records, (size_t)(p - records.p));
}
