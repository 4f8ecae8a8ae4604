#include "mail/table/rules.h"

#include "core/base/bug.h"
#include "core/base/cut.h"

struct rule *rules_add(struct rules *r, enum rule_kind kind, int line)
{
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 16 : r->cap * 2;
        r->at = xrealloc_array(r->at, r->cap, sizeof *r->at);
    }
    struct rule *rule = &r->at[r->count++];
    *rule = (struct rule){.kind = kind, .line = line, .endif = SIZE_MAX};
    if (kind == RULE_IF && r->open_count < COUNT_OF(r->open))
        r->open[r->open_count++] = r->count - 1;
    return rule;
}

bool rules_endif(struct rules *r, int line)
{
    if (r->open_count == 0)
        return false;
    size_t opener = r->open[--r->open_count];
    rules_add(r, RULE_ENDIF, line);
    r->at[opener].endif = r->count - 1;
    return true;
}

void rules_finish(struct rules *r, const char *what, slice name, struct buf *warnings)
{
    while (r->open_count > 0) {
        struct rule *rule = &r->at[r->open[--r->open_count]];
        rule->endif = r->count;
        warn(warnings, "%s %.*s, line %d: IF has no matching ENDIF", what, S_ARG(name), rule->line);
    }
    for (size_t i = 0; i < r->count; i++) {
        /* Nested deeper than we keep count of: to the end. */
        if (r->at[i].kind == RULE_IF && r->at[i].endif == SIZE_MAX)
            r->at[i].endif = r->count;
    }
}

void rules_done(struct rules *r, void (*free_pattern)(void *pattern))
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->at[i].pattern != NULL)
            free_pattern(r->at[i].pattern);
        if (r->at[i].unless != NULL)
            free_pattern(r->at[i].unless);
        free(r->at[i].result);
    }
    free(r->at);
    *r = (struct rules){0};
}

enum table_got rules_find(const struct rules *r, rule_match_fn *match, void *context, const struct rule **found,
                          struct err *err)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct rule *rule = &r->at[i];
        int matched;

        if (rule->kind == RULE_ENDIF)
            continue;
        matched = match(context, rule, err);
        if (matched < 0)
            return TABLE_FAILED;
        if (rule->kind == RULE_IF) {
            if (!matched)
                i = rule->endif; /* the loop steps past it */
        } else if (matched) {
            *found = rule;
            return TABLE_FOUND;
        }
    }
    return TABLE_NOT_FOUND;
}

static bool is_name(char c)
{
    return ascii_is_alnum(c) || c == '_';
}

enum subst_kind subst_cut(slice *rest, slice *text, bool *truncated)
{
    slice at = *rest;
    size_t dollar = slice_find(at, '$'), close;
    char closer;

    if (dollar != 0) {
        *text = slice_head(at, dollar);
        *rest = slice_skip(at, text->n);
        return SUBST_TEXT;
    }
    at = slice_skip(at, 1);
    if (cut_char(&at, '$')) {
        *text = slice_head(*rest, 1);
        *rest = at;
        return SUBST_TEXT;
    }
    *truncated = false;
    if (at.n > 0 && (*at.p == '{' || *at.p == '(')) {
        closer = *at.p == '{' ? '}' : ')';
        close = slice_find(at, closer);
        *truncated = close == SLICE_NONE;
        if (*truncated)
            return SUBST_BAD;
        *text = (slice){at.p + 1, close - 1};
        *rest = slice_skip(at, close + 1);
        return text->n > 0 ? SUBST_GROUP : SUBST_BAD;
    }
    if (!cut_while(&at, is_name, text))
        return SUBST_BAD;
    *rest = at;
    return SUBST_GROUP;
}

enum table_got rule_result(const struct rule *rule, slice subject, const struct span *spans, size_t count,
                           struct buf *value, struct err *err)
{
    slice rest = {rule->result, rule->result_bytes}, text;
    bool truncated;

    if (!rule->has_dollar)
        return value_set(value, rest, err);
    buf_clear(value);
    while (rest.n > 0) {
        unsigned group;

        switch (subst_cut(&rest, &text, &truncated)) {
        case SUBST_GROUP:
            if (cut_uint(&text, 1, 4, &group) && group < count && spans[group].start != SIZE_MAX)
                text = (slice){subject.p + spans[group].start, spans[group].end - spans[group].start};
            else
                text = S("");
            break;
        case SUBST_TEXT:
            break;
        case SUBST_BAD: /* refused when the rule was read */
            rest = S("");
            text = S("");
            break;
        }
        buf_add(value, text);
    }
    if (!value->overflow)
        return TABLE_FOUND;
    err_set(err, ERR_LIMIT, "result of line %d is too long", rule->line);
    return TABLE_FAILED;
}
