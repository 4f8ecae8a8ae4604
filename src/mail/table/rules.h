/* mail/table/rules.h - ordered rules with if/endif, shared by regexp, pcre and cidr.  For mail/table alone. */
#ifndef MAIL_TABLE_RULES_H
#define MAIL_TABLE_RULES_H

#include "mail/table/inner.h"

enum rule_kind { RULE_MATCH, RULE_IF, RULE_ENDIF };

struct rule {
    enum rule_kind kind;
    bool negate;
    int line;
    size_t endif;    /* RULE_IF: index of its RULE_ENDIF, or the number of rules */
    void *pattern;   /* the type's own */
    void *unless;    /* a second pattern that must not match, or NULL */
    char *result;    /* RULE_MATCH */
    size_t result_bytes;
    unsigned groups; /* highest $number in the result; 0: the result needs no group */
    bool has_dollar; /* the result must be expanded */
};

struct rules {
    struct rule *at;
    size_t count, cap;
    size_t open[64]; /* indexes of the ifs not yet closed, while parsing */
    size_t open_count;
};

struct rule *rules_add(struct rules *r, enum rule_kind kind, int line);
/* False: no if is open. */
bool rules_endif(struct rules *r, int line);
/* Warns about every if without endif, innermost first.  WHAT: "regexp map /x". */
void rules_finish(struct rules *r, const char *what, slice name, struct buf *warnings);
void rules_done(struct rules *r, void (*free_pattern)(void *pattern));

/* Does RULE's pattern, negation aside, match?  -1: *ERR set. */
typedef int rule_match_fn(void *context, const struct rule *rule, struct err *err);
/* The first RULE_MATCH that applies; TABLE_NOT_FOUND, TABLE_FAILED. */
enum table_got rules_find(const struct rules *r, rule_match_fn *match, void *context, const struct rule **found,
                          struct err *err);

/* ---- $number, ${number}, $(number), $$ in results ---- */
enum subst_kind { SUBST_TEXT, SUBST_GROUP, SUBST_BAD };
/* Takes the next piece off *REST: plain text (a "$$" gives "$"), or a reference whose name is *NAME (digits or not).
 * SUBST_BAD: *NAME is what the message quotes; *TRUNCATED tells "truncated macro reference" from "empty macro name". */
enum subst_kind subst_cut(slice *rest, slice *text, bool *truncated);

/* ---- pattern rules in text form: /pattern/flags result ---- */
struct pattern_type {
    const char *what;       /* "regexp map" */
    const char *flags;      /* letters it knows */
    const char *obsolete;   /* letters it ignores with a warning */
    const char *no_end;     /* "skipping this rule": how it ends its message on a missing delimiter */
    const char *bad_index;  /* "out-of-range": how it calls $0 */
    bool two_patterns;      /* /a/!/b/ */
    /* NULL: WHY is the whole message behind "FILE, line N: ". */
    void *(*compile)(slice pattern, slice flags, unsigned *groups, char *why, size_t why_bytes);
    void (*free)(void *pattern);
};
/* Parses the text of ARGUMENT ("/file" or inline) into OUT. */
MUST_CHECK bool pattern_rules_load(const struct pattern_type *type, slice argument, unsigned flags, struct rules *out,
                                   struct buf *warnings, struct err *err);
/* Parses one logical line; fuzzed. */
void pattern_rule_parse(const struct pattern_type *type, slice name, slice line, int number, unsigned flags,
                        struct rules *out, struct buf *warnings);

struct span {
    size_t start, end; /* start == SIZE_MAX: the group took no part */
};
/* Writes RULE's result with groups from SPANS (COUNT of them) into VALUE. */
enum table_got rule_result(const struct rule *rule, slice subject, const struct span *spans, size_t count,
                           struct buf *value, struct err *err);

#endif
