#include "commands/postmap/aliases.h"

#include "mail/syntax/token.h"

/* What a blank parts from its like. */
static bool is_word(const struct token *t)
{
    return t->kind == TOKEN_ATOM || t->kind == TOKEN_QUOTED || t->kind == TOKEN_COMMENT;
}

/* Bytes behind backslashes as they are. */
static void add_plain(slice text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\' && i + 1 < text.n)
            i++;
        else if (text.p[i] == '\\')
            continue;
        (void)buf_add_char(out, text.p[i]);
    }
}

/* A quoted string; whatever is blank in it is a blank. */
static void add_quoted(slice text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++)
        (void)buf_add_char(out, ascii_is_space(text.p[i]) ? ' ' : text.p[i]);
}

static slice unquoted(const struct token *t)
{
    slice text = slice_skip(t->text, 1);

    return t->closed ? slice_head(text, text.n - 1) : text;
}

/* Adds T, behind BEFORE (NULL: nothing); PLAIN without quotes. */
static void add_token(const struct token *t, const struct token *before, bool plain, struct buf *out)
{
    if (before != NULL && (token_is(before, ',') || (is_word(before) && (is_word(t) || token_is(t, '<')))))
        (void)buf_add_char(out, ' ');
    if (t->kind == TOKEN_QUOTED && plain)
        add_plain(unquoted(t), out);
    else if (t->kind == TOKEN_QUOTED && t->text.n == 1)
        (void)buf_add(out, S("\"\""));
    else if (t->kind == TOKEN_ATOM)
        add_plain(t->text, out);
    else if (t->kind == TOKEN_QUOTED)
        add_quoted(t->text, out);
    else
        (void)buf_add(out, t->text);
}

/* The name up to its colon.  NULL: it is one. */
static const char *cut_name(slice *line, struct buf *key)
{
    static const char no_pair[] = "need name:value pair";
    struct token t, before;
    bool any = false, has_domain = false;

    buf_clear(key);
    while (cut_token(line, &t) && !token_is(&t, ':')) {
        if (token_is(&t, ','))
            return no_pair;
        has_domain = has_domain || token_is(&t, '@') || (t.kind == TOKEN_ATOM && slice_find(t.text, '%') != SLICE_NONE);
        add_token(&t, any ? &before : NULL, true, key);
        before = t;
        any = true;
    }
    if (!any || !token_is(&t, ':'))
        return no_pair;
    return has_domain ? "name must be local" : NULL;
}

const char *alias_line_parse(slice line, struct buf *key, struct buf *value)
{
    const char *wrong = cut_name(&line, key);
    struct token t, before;
    bool any = false;

    buf_clear(value);
    while (cut_token(&line, &t)) {
        add_token(&t, any ? &before : NULL, false, value);
        before = t;
        any = true;
    }
    if (any && token_is(&before, ','))
        (void)buf_add_char(value, ' ');
    if (!any)
        return "need name:value pair";
    return wrong;
}
