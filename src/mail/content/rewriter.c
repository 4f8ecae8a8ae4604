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
    mime_init(&w->mime, rules->header_most_bytes, p->mime_boundary_length_limit > 0 ? (size_t)p->mime_boundary_length_limit : 70,
              p->mime_nesting_limit > 0 ? (unsigned)p->mime_nesting_limit : 1);
}

void rewriter_done(struct rewriter *w)
{
    buf_done(&w->header);
    buf_done(&w->scratch);
    mime_done(&w->mime);
}

/* ---- text out ---- */

static void replace_stray(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] == '\r' || p[i] == '\n')
            p[i] = ' ';
}

/* One line or piece of a line: split where it is too long for one record. */
bool rewriter_emit(struct rewriter *w, int type, slice text, struct err *err)
{
    size_t most = w->rules->line_most_bytes;

    if (w->rules->params->cleanup_replace_stray_cr_lf &&
        (slice_find(text, '\r') != SLICE_NONE || slice_find(text, '\n') != SLICE_NONE)) {
        buf_clear(&w->scratch);
        (void)buf_add(&w->scratch, text);
        replace_stray(w->scratch.p, w->scratch.n);
        text = buf_slice(&w->scratch);
    }
    err_clear(err);
    while (text.n > most) {
        if (!w->hooks.emit(w->hooks.context, RECORD_LONG_TEXT, slice_head(text, most)))
            return false;
        text = slice_skip(text, most);
    }
    w->line_open = type == RECORD_LONG_TEXT;
    return w->hooks.emit(w->hooks.context, type, text);
}

/* A header of one or more lines. */
bool rewriter_emit_header(struct rewriter *w, slice header, struct err *err)
{
    slice line;

    if (header.n == 0)
        return rewriter_emit(w, RECORD_TEXT, header, err);
    while (cut_field(&header, '\n', &line))
        if (!rewriter_emit(w, RECORD_TEXT, line, err))
            return false;
    return true;
}

/* ---- headers in ---- */

/* The gathered header is complete. */
static bool flush_header(struct rewriter *w, deadline by, struct err *err)
{
    slice text = buf_slice(&w->header);
    size_t nul = slice_find(text, '\0');
    bool good = true;

    if (w->header.n > 0)
        good = rewriter_header(w, slice_head(text, nul), by, err);
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

static bool body_text(struct rewriter *w, int type, slice text, bool starts_line, struct err *err)
{
    if (!w->rules->params->disable_mime_input_processing)
        mime_body(&w->mime, text, starts_line);
    if (w->hooks.check_body != NULL && !w->hooks.check_body(w->hooks.context, text)) {
        err_clear(err);
        return true;
    }
    return rewriter_emit(w, type, text, err);
}

static bool begin_body(struct rewriter *w, struct err *err)
{
    w->in_body = true;
    if (!rewriter_complete(w, err))
        return false;
    mime_header_end(&w->mime);
    return true;
}

bool rewriter_text(struct rewriter *w, int type, slice text, deadline by, struct err *err)
{
    bool starts_line = !w->line_open;
    slice name, value;
    enum header_kind kind;

    if (w->in_body)
        return body_text(w, type, text, starts_line, err);
    w->line_open = type == RECORD_LONG_TEXT;
    if (w->header.n > 0 && !starts_line) {
        add_piece(w, text);
        return true;
    }
    if (w->header.n > 0 && text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t')) {
        add_folded(w, text);
        return true;
    }
    if (!flush_header(w, by, err))
        return false;
    w->line_open = type == RECORD_LONG_TEXT;
    if (header_line_parse(text, &name, &kind, &value)) {
        add_piece(w, text);
        return true;
    }
    if (!begin_body(w, err) || !rewriter_emit(w, RECORD_TEXT, S(""), err))
        return false;
    return text.n == 0 && type == RECORD_TEXT ? true : body_text(w, type, text, true, err);
}

bool rewriter_end(struct rewriter *w, deadline by, struct err *err)
{
    if (!w->in_body) {
        if (!flush_header(w, by, err) || !begin_body(w, err))
            return false;
        w->line_open = false;
    }
    err_clear(err);
    return !w->line_open || rewriter_emit(w, RECORD_TEXT, S(""), err);
}
