/* regexp:file - POSIX regular expressions, by the C library.  Source: regexp_table(5). */
#include <regex.h>

#include "core/base/bug.h"
#include "mail/table/rules.h"

enum { REGEXP_GROUPS = 100 };

static void *regexp_compile(slice pattern, slice flags, unsigned *groups, char *why, size_t why_bytes)
{
    int options = REG_EXTENDED | REG_ICASE;
    regex_t *r = xcalloc(1, sizeof *r);
    char *text = xstrndup(pattern.p, pattern.n);

    for (size_t i = 0; i < flags.n; i++)
        options ^= flags.p[i] == 'i' ? REG_ICASE : flags.p[i] == 'm' ? REG_NEWLINE : REG_EXTENDED;
    int failed = regcomp(r, text, options);
    free(text);
    if (failed != 0) {
        regerror(failed, r, why, why_bytes);
        free(r);
        return NULL;
    }
    *groups = (unsigned)(r->re_nsub < REGEXP_GROUPS ? r->re_nsub : REGEXP_GROUPS - 1);
    return r;
}

static void regexp_free(void *pattern)
{
    regfree(pattern);
    free(pattern);
}

static const struct pattern_type regexp_patterns = {
    .what = "regexp map", .flags = "imx", .obsolete = "", .no_end = "skipping this rule", .bad_index = "out-of-range",
    .two_patterns = true, .compile = regexp_compile, .free = regexp_free,
};

struct search {
    slice subject;
    regmatch_t spans[REGEXP_GROUPS];
};

static int run(const regex_t *re, struct search *s, size_t groups)
{
    s->spans[0] = (regmatch_t){0, (regoff_t)s->subject.n};
    return regexec(re, s->subject.n > 0 ? s->subject.p : "", groups, s->spans, REG_STARTEND);
}

static int regexp_match(void *context, const struct rule *rule, struct err *err)
{
    struct search *s = context;
    int got = run(rule->pattern, s, rule->groups > 0 ? rule->groups + 1 : 0);

    if (got == 0 && rule->unless != NULL) {
        regmatch_t keep[REGEXP_GROUPS];
        memcpy(keep, s->spans, (rule->groups + 1) * sizeof *keep);
        int second = run(rule->unless, s, 0);
        memcpy(s->spans, keep, (rule->groups + 1) * sizeof *keep);
        got = second == 0 ? REG_NOMATCH : second == REG_NOMATCH ? 0 : second;
    }
    if (got == REG_ESPACE) {
        err_set(err, ERR_LIMIT, "line %d: regular expression match ran out of memory", rule->line);
        return -1;
    }
    return (got == 0) != rule->negate;
}

static void *regexp_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    struct rules *r = xcalloc(1, sizeof *r);

    if (pattern_rules_load(&regexp_patterns, argument, flags, r, warnings, err))
        return r;
    free(r);
    return NULL;
}

static void regexp_close(void *self)
{
    rules_done(self, regexp_free);
    free(self);
}

static enum table_got regexp_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    struct search s = {.subject = key};
    struct span spans[REGEXP_GROUPS];
    const struct rule *rule;
    enum table_got got;
    size_t count = 0;

    (void)by;
    got = rules_find(self, regexp_match, &s, &rule, err);
    if (got != TABLE_FOUND)
        return got;
    if (rule->groups > 0) {
        for (count = 0; count <= rule->groups; count++)
            spans[count] = (struct span){s.spans[count].rm_so < 0 ? SIZE_MAX : (size_t)s.spans[count].rm_so,
                                         s.spans[count].rm_so < 0 ? 0 : (size_t)s.spans[count].rm_eo};
    }
    return rule_result(rule, key, spans, count, value, err);
}

const struct table_type table_regexp = {
    .name = "regexp", .is_pattern = true, .open = regexp_open, .close = regexp_close, .get = regexp_get,
    .file_suffix = "",
};
