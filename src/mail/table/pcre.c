/* pcre:file - Perl-compatible regular expressions, by PCRE2 with match limits.  Source: pcre_table(5). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/base/bug.h"
#include "mail/table/rules.h"

enum { PCRE_GROUPS = 100, PCRE_MATCH_LIMIT = 2000000, PCRE_HEAP_KILOBYTES = 65536 };

static uint32_t pcre_flag(char c)
{
    switch (c) {
    case 'i': return PCRE2_CASELESS;
    case 'm': return PCRE2_MULTILINE;
    case 's': return PCRE2_DOTALL;
    case 'x': return PCRE2_EXTENDED;
    case 'A': return PCRE2_ANCHORED;
    case 'E': return PCRE2_DOLLAR_ENDONLY;
    case 'U': return PCRE2_UNGREEDY;
    default: return 0;
    }
}

static void *pcre_compile(slice pattern, slice flags, unsigned *groups, char *why, size_t why_bytes)
{
    uint32_t options = PCRE2_CASELESS | PCRE2_DOTALL, captures = 0;
    PCRE2_SIZE at;
    int problem;

    for (size_t i = 0; i < flags.n; i++)
        options ^= pcre_flag(flags.p[i]);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &problem, &at, NULL);
    if (code == NULL) {
        PCRE2_UCHAR text[160];
        pcre2_get_error_message(problem, text, sizeof text);
        snprintf(why, why_bytes, "error in regex at offset %zu: %s", at, (const char *)text);
        return NULL;
    }
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &captures);
    *groups = captures < PCRE_GROUPS ? captures : PCRE_GROUPS - 1;
    return code;
}

static void pcre_free(void *pattern)
{
    pcre2_code_free(pattern);
}

static const struct pattern_type pcre_patterns = {
    .what = "pcre map", .flags = "imsxAEU", .obsolete = "X", .no_end = "ignoring this rule", .bad_index = "out of range",
    .compile = pcre_compile, .free = pcre_free,
};

struct pcre {
    struct rules rules;
    pcre2_match_context *limits;
    pcre2_match_data *found; /* nothing suspends while it is in use */
};

struct search {
    const struct pcre *self;
    slice subject;
};

static int pcre_match(void *context, const struct rule *rule, struct err *err)
{
    const struct search *s = context;
    int got = pcre2_match(rule->pattern, (PCRE2_SPTR)(s->subject.n > 0 ? s->subject.p : ""), s->subject.n, 0, 0,
                          s->self->found, s->self->limits);

    if (got < 0 && got != PCRE2_ERROR_NOMATCH) {
        PCRE2_UCHAR text[160];
        pcre2_get_error_message(got, text, sizeof text);
        err_set(err, ERR_LIMIT, "line %d: matcher error: %s", rule->line, (const char *)text);
        return -1;
    }
    return (got >= 0) != rule->negate;
}

static void *pcre_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    struct pcre *p = xcalloc(1, sizeof *p);

    if (!pattern_rules_load(&pcre_patterns, argument, flags, &p->rules, warnings, err)) {
        free(p);
        return NULL;
    }
    p->limits = pcre2_match_context_create(NULL);
    p->found = pcre2_match_data_create(PCRE_GROUPS, NULL);
    if (p->limits == NULL || p->found == NULL)
        bug("out of memory");
    pcre2_set_match_limit(p->limits, PCRE_MATCH_LIMIT);
    pcre2_set_heap_limit(p->limits, PCRE_HEAP_KILOBYTES);
    return p;
}

static void pcre_close(void *self)
{
    struct pcre *p = self;

    rules_done(&p->rules, pcre_free);
    pcre2_match_context_free(p->limits);
    pcre2_match_data_free(p->found);
    free(p);
}

static enum table_got pcre_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    const struct pcre *p = self;
    struct search s = {p, key};
    struct span spans[PCRE_GROUPS];
    const struct rule *rule;
    enum table_got got;
    size_t count = 0;

    (void)by;
    got = rules_find(&p->rules, pcre_match, &s, &rule, err);
    if (got != TABLE_FOUND)
        return got;
    if (rule->groups > 0) {
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->found);
        for (count = 0; count <= rule->groups; count++)
            spans[count] = (struct span){at[2 * count] == PCRE2_UNSET ? SIZE_MAX : at[2 * count], at[2 * count + 1]};
    }
    return rule_result(rule, key, spans, count, value, err);
}

const struct table_type table_pcre = {
    .name = "pcre", .is_pattern = true, .open = pcre_open, .close = pcre_close, .get = pcre_get,
    .file_suffix = "",
};
