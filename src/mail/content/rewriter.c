#include "mail/content/rewriter.h"

#include "core/base/cut.h"
#include "mail/content/rewriter_inner.h"
#include "mail/proto/cleanup.h"
#include "mail/queue/record.h"

bool rewriter_rules_init(struct rewriter_rules *r, const struct params *p, struct err *err)
{
    slice names = slice_text(p->message_drop_headers), name;
    slice format = slice_text(p->header_from_format);

    *r = (struct rewriter_rules){.params = p, .drop_names = p->message_drop_headers};
    r->header_most_bytes = p->header_size_limit > 0 ? (size_t)p->header_size_limit : 102400;
    r->line_most_bytes = p->line_length_limit > 0 ? (size_t)p->line_length_limit : 2048;
    r->obsolete_from = slice_eq_case(format, S("obsolete"));
    if (!r->obsolete_from && !slice_eq_case(format, S("standard")))
        return err_set(err, ERR_CONFIG, "invalid setting: header_from_format = %s", p->header_from_format);
    while (cut_word(&names, ", \t\r\n", &name)) {
        enum header_kind kind = header_kind_of(name);

        if (kind != HEADER_OTHER)
            r->drop_kinds |= header_bit(kind);
    }
    return true;
}

void rewriter_init(struct rewriter *w, const struct rewriter_rules *rules, const struct rewriter_hooks *hooks,
                   const struct rewriter_facts *facts)
{
    const struct params *p = rules->params;

    *w = (struct rewriter){.rules = rules, .hooks = *hooks, .facts = *facts};
    buf_init(&w->header, rules->header_most_bytes + 1);
    buf_init(&w->scratch, SIZE_MAX / 2);
    mime_init(&w->mime, p->mime_boundary_length_limit > 0 ? (size_t)p->mime_boundary_length_limit : 70,
              p->mime_nesting_limit > 0 ? (unsigned)p->mime_nesting_limit : 1);
}

void rewriter_done(struct rewriter *w)
{
    buf_done(&w->header);
    buf_done(&w->scratch);
    mime_done(&w->mime);
}

/* ---- headers in ---- */

/* The gathered header is complete. */
static bool flush_header(struct rewriter *w, deadline by, struct err *err)
{
    slice text = buf_slice(&w->header);
    bool good = true;

    err_clear(err);
    if (w->header.n > 0)
        good = rewriter_header(w, slice_head(text, slice_find(text, '\0')), by, err);
    buf_clear(&w->header);
    return good;
}

/* Adds a folded line, while there is room for all of it. */
static void add_folded(struct rewriter *w, slice line)
{
    if (w->header.n + line.n < w->rules->header_most_bytes) {
        (void)buf_add_char(&w->header, '\n');
        (void)buf_add(&w->header, line);
    }
}

static void add_piece(struct rewriter *w, slice piece)
{
    size_t room = w->rules->header_most_bytes - w->header.n;

    (void)buf_add(&w->header, slice_head(piece, w->header.n < w->rules->header_most_bytes ? room : 0));
}

/* Blanks in front of the colon go. */
static void add_first(struct rewriter *w, slice name, slice value)
{
    add_piece(w, name);
    add_piece(w, S(":"));
    add_piece(w, value);
}

/* The header block is over; another may follow at once: the message in a part. */
static bool end_headers(struct rewriter *w, struct err *err)
{
    const struct params *p = w->rules->params;
    struct mime *m = &w->mime;

    w->segment_bytes = 0;
    if (m->place == MIME_PRIMARY && !rewriter_complete(w, err))
        return false;
    err_clear(err);
    if (p->disable_mime_input_processing) {
        m->in_header = false;
        m->place = MIME_PART;
        return true;
    }
    if (w->hooks.fault != NULL && p->strict_mime_encoding_domain && m->plain_domain &&
        m->encoding >= MIME_QUOTED_PRINTABLE)
        w->hooks.fault(w->hooks.context, REWRITER_ENCODED_PARTS, slice_text(mime_encoding_name(m->encoding)));
    mime_header_end(m);
    return true;
}

/* ---- the body ---- */

/* Is there something left of what the body's checks may look at? */
static bool within_checks(struct rewriter *w, slice text)
{
    int64_t most = w->rules->params->body_checks_size_limit, before = w->segment_bytes;

    w->segment_bytes += (int64_t)text.n + 1;
    return most <= 0 || before < most;
}

static bool body_text(struct rewriter *w, int type, slice text, bool starts_line, deadline by, struct err *err)
{
    const struct params *p = w->rules->params;
    struct rewriter_text line = {text, S("")};

    w->line_open = type == RECORD_LONG_TEXT;
    if (starts_line && w->mime.depth > 0 && mime_at_boundary(&w->mime, text)) {
        w->segment_bytes = 0;
    } else if (w->hooks.fault != NULL && (p->strict_8bitmime || p->strict_8bitmime_body) &&
               w->mime.encoding == MIME_7BIT && mime_has_eight_bits(text)) {
        w->hooks.fault(w->hooks.context, REWRITER_8BIT_BODY, text);
    }
    if (w->hooks.check != NULL && within_checks(w, text)) {
        enum rewriter_verdict verdict = rewriter_check(w, REWRITER_BODY, &line, by, err);

        if (verdict != REWRITER_KEEP)
            return verdict == REWRITER_DROP;
    }
    return rewriter_emit(w, type, line.text, err);
}

/* A line where headers may stand.  *TAKEN: nothing of it is left. */
static bool header_text(struct rewriter *w, int type, slice text, bool *taken, struct err *err)
{
    slice name, value;
    enum header_kind kind;

    while (w->mime.in_header) {
        bool primary = w->mime.place == MIME_PRIMARY;

        if (header_line_parse(text, &name, &kind, &value)) {
            w->line_open = type == RECORD_LONG_TEXT;
            add_first(w, name, value);
            *taken = true;
            return true;
        }
        if (!end_headers(w, err))
            return false;
        if (text.n == 0 && type == RECORD_TEXT)
            break; /* the line between headers and what follows */
        if (primary && !rewriter_emit(w, RECORD_TEXT, S(""), err))
            return false;
    }
    *taken = false;
    return true;
}

bool rewriter_text(struct rewriter *w, int type, slice text, deadline by, struct err *err)
{
    bool starts_line = !w->line_open, taken;

    text = rewriter_clean(w, text);
    if (w->header.n > 0) {
        w->line_open = type == RECORD_LONG_TEXT;
        if (!starts_line) {
            add_piece(w, text);
            return true;
        }
        if (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t')) {
            add_folded(w, text);
            return true;
        }
        if (!flush_header(w, by, err))
            return false;
    }
    if (w->mime.in_header) {
        if (!header_text(w, type, text, &taken, err))
            return false;
        if (taken)
            return true;
        starts_line = true;
    }
    return body_text(w, type, text, starts_line, by, err);
}

bool rewriter_end(struct rewriter *w, deadline by, struct err *err)
{
    if (w->mime.in_header) {
        w->line_open = false;
        if (!flush_header(w, by, err))
            return false;
        while (w->mime.in_header)
            if (!end_headers(w, err))
                return false;
        w->line_open = false;
    }
    err_clear(err);
    return !w->line_open || rewriter_emit(w, RECORD_TEXT, S(""), err);
}
