#include "mail/table/rules.h"

#include "core/base/bug.h"
#include "core/base/cut.h"

/* One line's parse: where messages point to. */
struct parse {
    const struct pattern_type *type;
    slice name;
    int number;
    unsigned flags;
    struct rules *out;
    struct buf *warnings;
};

#define COMPLAIN(p, format, ...)                                                                                       \
    warn((p)->warnings, "%s %.*s, line %d: " format, (p)->type->what, S_ARG((p)->name), (p)->number __VA_OPT__(, )     \
             __VA_ARGS__)

static void skip_blanks(slice *s)
{
    while (s->n > 0 && ascii_is_space(*s->p))
        *s = slice_skip(*s, 1);
}

struct pattern {
    slice text, flags;
    bool negate;
};

/* Takes "!/pattern/flags" off LINE.  False: complained. */
static bool cut_pattern(const struct parse *p, slice *line, struct pattern *out)
{
    struct pattern found = {0};
    slice rest = *line;
    char delimiter;
    size_t i = 0;

    skip_blanks(&rest);
    for (; rest.n > 0 && *rest.p == '!'; skip_blanks(&rest)) {
        found.negate = !found.negate;
        rest = slice_skip(rest, 1);
    }
    if (rest.n == 0) {
        COMPLAIN(p, "no regexp: skipping this rule");
        return false;
    }
    delimiter = *rest.p;
    rest = slice_skip(rest, 1);
    while (i < rest.n && rest.p[i] != delimiter)
        i += rest.p[i] == '\\' ? 2 : 1;
    if (i >= rest.n) {
        COMPLAIN(p, "no closing regexp delimiter \"%c\": %s", delimiter, p->type->no_end);
        return false;
    }
    found.text = slice_head(rest, i);
    rest = slice_skip(rest, i + 1);
    for (i = 0; i < rest.n && !ascii_is_space(rest.p[i]) && !(p->type->two_patterns && rest.p[i] == '!'); i++) {
        if (strchr(p->type->flags, rest.p[i]) != NULL && rest.p[i] != '\0')
            continue;
        if (strchr(p->type->obsolete, rest.p[i]) != NULL && rest.p[i] != '\0') {
            COMPLAIN(p, "ignoring obsolete regexp option \"%c\"", rest.p[i]);
            continue;
        }
        COMPLAIN(p, "unknown regexp option \"%c\": skipping this rule", rest.p[i]);
        return false;
    }
    found.flags = slice_head(rest, i);
    *line = slice_skip(rest, i);
    *out = found;
    return true;
}

static void *compile(const struct parse *p, const struct pattern *pattern, unsigned *groups)
{
    char why[256];
    void *compiled = p->type->compile(pattern->text, pattern->flags, groups, why, sizeof why);

    if (compiled == NULL)
        COMPLAIN(p, "%s", why);
    return compiled;
}

/* Looks through the result's references.  False: complained. */
static bool check_result(const struct parse *p, slice result, bool negate, unsigned *highest, bool *has_dollar)
{
    slice rest = result, text;
    bool truncated;

    *highest = 0;
    *has_dollar = false;
    while (rest.n > 0) {
        slice before = rest, digits;
        unsigned group = 0;

        switch (subst_cut(&rest, &text, &truncated)) {
        case SUBST_TEXT:
            *has_dollar = *has_dollar || *before.p == '$';
            break;
        case SUBST_BAD:
            if (truncated)
                warn(p->warnings, "truncated macro reference: \"%.*s\"", S_ARG(result));
            else
                warn(p->warnings, "empty macro name: \"%.*s\"", S_ARG(result));
            COMPLAIN(p, "bad replacement syntax: skipping this rule");
            return false;
        case SUBST_GROUP:
            *has_dollar = true;
            digits = text;
            if (!cut_uint(&digits, 1, 4, &group) || digits.n > 0) {
                COMPLAIN(p, "non-numeric replacement index \"%.*s\"", S_ARG(text));
                COMPLAIN(p, "bad replacement syntax: skipping this rule");
                return false;
            }
            if (group == 0) {
                COMPLAIN(p, "%s replacement index \"0\"", p->type->bad_index);
                COMPLAIN(p, "bad replacement syntax: skipping this rule");
                return false;
            }
            if (p->flags & TABLE_NO_REGSUB) {
                COMPLAIN(p, "regular expression substitution is not allowed: skipping this rule");
                return false;
            }
            if (group > *highest)
                *highest = group;
            break;
        }
    }
    if (negate && *highest > 0) {
        COMPLAIN(p, "$number found in negative match replacement text: skipping this rule");
        return false;
    }
    return true;
}

static void parse_if(const struct parse *p, slice rest)
{
    struct pattern pattern;
    unsigned groups;
    void *compiled;

    if (!cut_pattern(p, &rest, &pattern))
        return;
    if (slice_trim(rest).n > 0) {
        COMPLAIN(p, "ignoring extra text after IF statement: \"%.*s\"", S_ARG(slice_trim(rest)));
        COMPLAIN(p, "do not prepend whitespace to statements between IF and ENDIF");
    }
    compiled = compile(p, &pattern, &groups);
    if (compiled == NULL)
        return;
    struct rule *rule = rules_add(p->out, RULE_IF, p->number);
    rule->pattern = compiled;
    rule->negate = pattern.negate;
}

static void parse_match(const struct parse *p, slice rest)
{
    struct pattern first, second = {0};
    bool has_second = false, has_dollar;
    unsigned highest, groups = 0, ignored;
    void *compiled, *unless = NULL;

    if (!cut_pattern(p, &rest, &first))
        return;
    if (p->type->two_patterns && rest.n > 0 && *rest.p == '!') {
        if (!cut_pattern(p, &rest, &second))
            return;
        has_second = true;
    }
    rest = slice_trim(rest);
    if (rest.n == 0)
        COMPLAIN(p, "no replacement text: using empty string");
    if (!check_result(p, rest, first.negate, &highest, &has_dollar))
        return;
    compiled = compile(p, &first, &groups);
    if (compiled == NULL)
        return;
    if (highest > groups) {
        COMPLAIN(p, "out of range replacement index \"%u\": skipping this rule", highest);
        p->type->free(compiled);
        return;
    }
    if (has_second && (unless = compile(p, &second, &ignored)) == NULL) {
        p->type->free(compiled);
        return;
    }
    struct rule *rule = rules_add(p->out, RULE_MATCH, p->number);
    rule->pattern = compiled;
    rule->unless = unless;
    rule->negate = first.negate;
    rule->result = xstrndup(rest.p, rest.n);
    rule->result_bytes = rest.n;
    rule->groups = highest;
    rule->has_dollar = has_dollar;
}

void pattern_rule_parse(const struct pattern_type *type, slice name, slice line, int number, unsigned flags,
                        struct rules *out, struct buf *warnings)
{
    struct parse p = {type, name, number, flags, out, warnings};
    slice rest = slice_trim(line), word = rest;

    if (rest.n == 0)
        return;
    if (!ascii_is_alnum(*rest.p)) {
        parse_match(&p, rest);
        return;
    }
    if (cut_prefix_case(&word, S("if")) && (word.n == 0 || !ascii_is_alnum(*word.p))) {
        parse_if(&p, word);
        return;
    }
    word = rest;
    if (cut_prefix_case(&word, S("endif")) && (word.n == 0 || !ascii_is_alnum(*word.p))) {
        if (slice_trim(word).n > 0 && out->open_count > 0)
            COMPLAIN(&p, "ignoring extra text after ENDIF");
        if (!rules_endif(out, number))
            COMPLAIN(&p, "ignoring ENDIF without matching IF");
        return;
    }
    COMPLAIN(&p, "ignoring unrecognized request");
}

bool pattern_rules_load(const struct pattern_type *type, slice argument, unsigned flags, struct rules *out,
                        struct buf *warnings, struct err *err)
{
    struct source source;
    AUTO_BUF struct buf line = BUF_INIT(TABLE_TEXT_MAX);
    int number;

    if (!source_open(&source, type->what, argument, err))
        return false;
    while (source_next(&source, &line, &number))
        pattern_rule_parse(type, argument, buf_slice(&line), number, flags, out, warnings);
    source_done(&source);
    rules_finish(out, type->what, argument, warnings);
    return true;
}
