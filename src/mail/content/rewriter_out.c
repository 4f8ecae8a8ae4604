/* Text on its way out of the rewriter. */
#include "core/base/cut.h"
#include "mail/content/rewriter_inner.h"
#include "mail/queue/record.h"

slice rewriter_clean(struct rewriter *w, slice text)
{
    if (!w->rules->params->cleanup_replace_stray_cr_lf ||
        (slice_find(text, '\r') == SLICE_NONE && slice_find(text, '\n') == SLICE_NONE))
        return text;
    buf_clear(&w->scratch);
    (void)buf_add(&w->scratch, text);
    for (size_t i = 0; i < w->scratch.n; i++)
        if (w->scratch.p[i] == '\r' || w->scratch.p[i] == '\n')
            w->scratch.p[i] = ' ';
    return buf_slice(&w->scratch);
}

bool rewriter_emit(struct rewriter *w, int type, slice text, struct err *err)
{
    size_t most = w->rules->line_most_bytes;

    err_clear(err);
    while (text.n > most) {
        if (!w->hooks.emit(w->hooks.context, RECORD_LONG_TEXT, slice_head(text, most)))
            return false;
        text = slice_skip(text, most);
    }
    w->line_open = type == RECORD_LONG_TEXT;
    return w->hooks.emit(w->hooks.context, type, text);
}

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

enum rewriter_verdict rewriter_check(struct rewriter *w, enum rewriter_line line, struct rewriter_text *text,
                                     deadline by, struct err *err)
{
    enum rewriter_verdict verdict;

    err_clear(err);
    if (w->hooks.check == NULL || text->text.n == 0)
        return REWRITER_KEEP;
    text->before = S("");
    verdict = w->hooks.check(w->hooks.context, line, text, by);
    if (verdict != REWRITER_STOP && text->before.n > 0 && !rewriter_emit(w, RECORD_TEXT, text->before, err))
        return REWRITER_STOP;
    return verdict;
}
