#include "mail/table/inner.h"

#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/conf/main_cf.h"

bool cut_braces(slice *s, slice *inside)
{
    slice at = *s;
    size_t depth = 0;

    while (at.n > 0 && ascii_is_space(*at.p))
        at = slice_skip(at, 1);
    for (size_t i = 0; i < at.n; i++) {
        if (at.p[i] == '{') {
            depth++;
        } else if (at.p[i] == '}' && --depth == 0) {
            *inside = slice_trim((slice){at.p + 1, i - 1});
            *s = slice_skip(at, i + 1);
            return true;
        }
        if (depth == 0)
            return false;
    }
    return false;
}

/* "{ {rule} {rule} }": each rule becomes a line. */
static bool source_inline(struct source *s, const char *what, slice argument, struct err *err)
{
    slice all = argument, rules, rule;

    if (!cut_braces(&all, &rules))
        return err_set(err, ERR_CONFIG, "%s: missing '}' in \"%.*s\"", what, S_ARG(argument));
    if (slice_trim(all).n > 0)
        return err_set(err, ERR_CONFIG, "%s: syntax error after '}' in \"%.*s\"", what, S_ARG(argument));
    for (;;) {
        while (rules.n > 0 && (ascii_is_space(*rules.p) || *rules.p == ','))
            rules = slice_skip(rules, 1);
        if (rules.n == 0)
            break;
        if (*rules.p != '{')
            return err_set(err, ERR_CONFIG, "%s: no '{' at start of text in \"%.*s\"", what,
                           (int)(slice_find_any(rules, " \t\r\n,") == SLICE_NONE ? rules.n
                                                                                 : slice_find_any(rules, " \t\r\n,")),
                           rules.p);
        if (!cut_braces(&rules, &rule))
            return err_set(err, ERR_CONFIG, "%s: missing '}' in \"%.*s\"", what, S_ARG(rules));
        buf_add(&s->text, rule);
        buf_add_char(&s->text, '\n');
    }
    s->rest = buf_slice(&s->text);
    return true;
}

bool source_open_file(struct source *s, const char *open_words, slice path, struct err *err)
{
    char name[TABLE_PATH];

    *s = (struct source){.text = BUF_INIT(TABLE_TEXT_MAX)};
    if (!text_from_slice(path, name, sizeof name))
        return err_sys(err, "%s %.*s", open_words, S_ARG(path));
    if (!file_read_path(name, &s->text, err)) {
        /* The words the field knows; the cause alone is kept. */
        int why = err->sys;
        buf_done(&s->text);
        return why == 0 ? err_note(err, "%s %s", open_words, name)
                        : err_set(err, ERR_SYS, "%s %s: %s", open_words, name, strerror(why));
    }
    s->rest = buf_slice(&s->text);
    return true;
}

bool source_open(struct source *s, const char *what, slice argument, struct err *err)
{
    if (argument.n == 0 || argument.p[0] != '{')
        return source_open_file(s, "open", argument, err);
    *s = (struct source){.text = BUF_INIT(TABLE_TEXT_MAX)};
    if (source_inline(s, what, argument, err))
        return true;
    buf_done(&s->text);
    return false;
}

bool source_next(struct source *s, struct buf *line, int *number)
{
    while (conf_next_line(&s->rest, &s->line, number, line)) {
        buf_truncate(line, slice_trim_end(buf_slice(line)).n);
        if (line->n > 0)
            return true;
    }
    return false;
}

void source_done(struct source *s)
{
    buf_done(&s->text);
}

/* The end of a key: blanks inside double quotes do not end it. */
static bool key_end(slice line, size_t *end)
{
    bool quoted = false;
    size_t i;

    for (i = 0; i < line.n && (quoted || !ascii_is_space(line.p[i])); i++) {
        if (line.p[i] == '"')
            quoted = !quoted;
        else if (line.p[i] == '\\' && i + 1 < line.n)
            i++;
    }
    *end = i;
    return !quoted;
}

enum table_line table_line_parse(slice line, slice *key, slice *value)
{
    slice all = slice_trim(line);
    size_t end;

    if (!key_end(all, &end))
        return TABLE_LINE_UNBALANCED;
    *key = slice_head(all, end);
    *value = slice_trim(slice_skip(all, end));
    return value->n == 0 ? TABLE_LINE_NO_VALUE : TABLE_LINE_OK;
}
