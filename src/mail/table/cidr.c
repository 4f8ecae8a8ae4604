/* cidr:file - networks.  Source: cidr_table(5). */
#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/net/endpoint.h"
#include "mail/table/rules.h"

struct parse {
    slice name;
    int number;
    struct rules *out;
    struct buf *warnings;
};

#define COMPLAIN(p, format, ...)                                                                                       \
    warn((p)->warnings, "cidr map %.*s, line %d: " format, S_ARG((p)->name), (p)->number __VA_OPT__(, ) __VA_ARGS__)

static void skip_blanks(slice *s)
{
    while (s->n > 0 && ascii_is_space(*s->p))
        *s = slice_skip(*s, 1);
}

static void cut_negation(slice *s, bool *negate)
{
    skip_blanks(s);
    for (; s->n > 0 && *s->p == '!'; skip_blanks(s)) {
        *negate = !*negate;
        *s = slice_skip(*s, 1);
    }
}

static bool parse_network(const struct parse *p, slice text, bool negate, slice result, enum rule_kind kind)
{
    struct net_block block;
    struct err err;

    if (text.n == 0) {
        COMPLAIN(p, "no address pattern: skipping this rule");
        return false;
    }
    if (kind == RULE_MATCH && result.n == 0) {
        COMPLAIN(p, "no lookup result: skipping this rule");
        return false;
    }
    if (!net_block_parse(text, &block, &err)) {
        COMPLAIN(p, "%s: skipping this rule", err.text);
        return false;
    }
    struct rule *rule = rules_add(p->out, kind, p->number);
    struct net_block *kept = xmalloc(sizeof *kept);
    *kept = block;
    rule->pattern = kept;
    rule->negate = negate;
    if (kind == RULE_MATCH) {
        rule->result = xstrndup(result.p, result.n);
        rule->result_bytes = result.n;
    }
    return true;
}

static void parse_line(const struct parse *p, slice line)
{
    slice rest = slice_trim(line), word = rest, pattern;
    bool negate = false;

    if (cut_prefix_case(&word, S("if")) && (word.n == 0 || ascii_is_space(*word.p) || *word.p == '!')) {
        cut_negation(&word, &negate);
        (void)parse_network(p, word, negate, S(""), RULE_IF);
        return;
    }
    word = rest;
    if (cut_prefix_case(&word, S("endif")) && (word.n == 0 || ascii_is_space(*word.p))) {
        if (word.n > 0 && p->out->open_count > 0)
            COMPLAIN(p, "ignoring extra text after ENDIF");
        if (!rules_endif(p->out, p->number))
            COMPLAIN(p, "ENDIF without IF: skipping this rule");
        return;
    }
    cut_negation(&rest, &negate);
    size_t blank = slice_find_any(rest, " \t\r\n\v\f");
    pattern = slice_head(rest, blank);
    (void)parse_network(p, pattern, negate, slice_trim(slice_skip(rest, pattern.n)), RULE_MATCH);
}

static int cidr_match(void *context, const struct rule *rule, struct err *err)
{
    const struct endpoint *e = context;
    const struct net_block *b = rule->pattern;

    (void)err;
    /* A rule says nothing about addresses of the other family, negated or not. */
    if (b->base.u.any.sa_family != e->u.any.sa_family)
        return 0;
    return net_block_has(b, e) != rule->negate;
}

static void *cidr_open(slice argument, unsigned flags, struct buf *warnings, struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(TABLE_TEXT_MAX);
    struct source source;
    struct parse p = {.name = argument, .warnings = warnings};

    (void)flags;
    if (!source_open(&source, "cidr map", argument, err))
        return NULL;
    struct rules *r = xcalloc(1, sizeof *r);
    p.out = r;
    while (source_next(&source, &line, &p.number))
        parse_line(&p, buf_slice(&line));
    source_done(&source);
    rules_finish(r, "cidr map", argument, warnings);
    return r;
}

static void cidr_close(void *self)
{
    rules_done(self, free);
    free(self);
}

static enum table_got cidr_get(void *self, slice key, deadline by, struct buf *value, struct err *err)
{
    struct endpoint e;
    const struct rule *rule;
    enum table_got got;

    (void)by;
    if (key.n == 0 || *key.p == '[' || !endpoint_parse(key, &e))
        return TABLE_NOT_FOUND;
    got = rules_find(self, cidr_match, &e, &rule, err);
    return got == TABLE_FOUND ? value_set(value, (slice){rule->result, rule->result_bytes}, err) : got;
}

const struct table_type table_cidr = {
    .name = "cidr", .is_pattern = true, .open = cidr_open, .close = cidr_close, .get = cidr_get,
    .file_suffix = "",
};
