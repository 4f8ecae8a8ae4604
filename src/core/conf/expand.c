#include "core/base/cut.h"
#include "core/conf/main_cf.h"

/* Nesting like the field's; the count of names looked up bounds what a value such as a=$b$b, b=$c$c ... can cost. */
enum { NESTING_MAX = 100, LOOKUPS_MAX = 100000, OPERAND_MAX_BYTES = 1 << 20 };

struct expansion {
    const struct conf *conf;
    conf_default_fn *fallback;
    void *context;
    const char *name; /* of the parameter, for errors */
    struct err *err;
    int depth, lookups;
};

enum operator { OP_EQ, OP_NE, OP_LE, OP_LT, OP_GE, OP_GT };

/* What stands between ${ and }, taken apart. */
struct macro {
    bool is_test;       /* {LEFT} OPERATOR {RIGHT}, else NAME */
    slice name;
    slice left, right;
    enum operator op;
    bool by_level;
    bool has_then, has_else;
    slice then_text, else_text;
};

/* A position inside a macro, and where the piece before it began: errors show both. */
struct place {
    slice rest;
    const char *token;
};

static bool fail(struct expansion *x, const char *what, slice text)
{
    return err_set(x->err, ERR_SYNTAX, "macro processing error: parameter %s: %s: \"%.*s\"", x->name, what, S_ARG(text));
}

static bool fail_at(struct expansion *x, const char *what, const struct place *at)
{
    slice before = slice_trim_end(slice_of(at->token, (size_t)(at->rest.p - at->token)));

    return err_set(x->err, ERR_SYNTAX, "macro processing error: parameter %s: %s at: \"...%.*s>>>%.*s\"", x->name, what,
                   S_ARG(before), S_ARG(at->rest));
}

static bool is_name_char(char c)
{
    return ascii_is_alnum(c) || c == '_';
}

static void skip_spaces(slice *s)
{
    while (s->n > 0 && ascii_is_space(s->p[0]))
        *s = slice_skip(*s, 1);
}

/* Takes OPEN ... CLOSE with whatever balanced pairs are inside; *INSIDE is without the outer pair. */
static bool cut_balanced(slice *s, char open, char close, slice *inside)
{
    int depth = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (s->p[i] == open)
            depth++;
        else if (s->p[i] == close && --depth == 0) {
            *inside = slice_of(s->p + 1, i - 1);
            *s = slice_skip(*s, i + 1);
            return true;
        }
    }
    return false;
}

static bool take_braces(struct expansion *x, struct place *at, slice *inside)
{
    at->token = at->rest.p + 1;
    return cut_balanced(&at->rest, '{', '}', inside) || fail(x, "unbalanced {} in attribute expression", at->rest);
}

static bool cut_operator(slice *s, struct macro *m)
{
    static const struct {
        slice text;
        enum operator op;
    } operators[] = {
        {S_INIT("=="), OP_EQ}, {S_INIT("!="), OP_NE}, {S_INIT("<="), OP_LE},
        {S_INIT(">="), OP_GE}, {S_INIT("<"), OP_LT},  {S_INIT(">"), OP_GT},
    };

    for (size_t i = 0; i < COUNT_OF(operators); i++)
        if (cut_prefix(s, operators[i].text)) {
            m->op = operators[i].op;
            m->by_level = cut_prefix(s, S("level"));
            return true;
        }
    return false;
}

/* {LEFT} OPERATOR {RIGHT} */
static bool parse_test(struct expansion *x, struct place *at, struct macro *m)
{
    m->is_test = true;
    if (!take_braces(x, at, &m->left))
        return false;
    skip_spaces(&at->rest);
    if (!cut_operator(&at->rest, m))
        return fail_at(x, "\"==\" or \"!=\"\" or \"<\"\" or \"<=\"\" or \">=\"\" or \">\" expected", at);
    skip_spaces(&at->rest);
    if (at->rest.n == 0 || at->rest.p[0] != '{')
        return fail_at(x, "\"{expression}\" expected", at);
    if (!take_braces(x, at, &m->right))
        return false;
    m->left = slice_trim(m->left);
    m->right = slice_trim(m->right);
    return true;
}

/* {TEXT} or plain TEXT up to the end.  *BRACED tells which. */
static bool parse_branch(struct expansion *x, struct place *at, slice *out, bool *braced)
{
    slice after_spaces = at->rest;

    skip_spaces(&after_spaces);
    *braced = after_spaces.n > 0 && after_spaces.p[0] == '{';
    if (!*braced) {
        *out = at->rest;
        at->rest = slice_skip(at->rest, at->rest.n);
        return true;
    }
    at->rest = after_spaces;
    if (!take_braces(x, at, out))
        return false;
    skip_spaces(&at->rest);
    return true;
}

static bool parse_macro(struct expansion *x, slice body, struct macro *m)
{
    struct place at = {body, body.p};
    bool braced;

    skip_spaces(&at.rest);
    at.token = at.rest.p;
    if (at.rest.n > 0 && at.rest.p[0] == '{') {
        if (!parse_test(x, &at, m))
            return false;
    } else if (!cut_while(&at.rest, is_name_char, &m->name)) {
        m->name = slice_head(at.rest, 0);
    }
    skip_spaces(&at.rest);
    if (cut_char(&at.rest, '?')) {
        m->has_then = true;
        if (!parse_branch(x, &at, &m->then_text, &braced))
            return false;
        if (at.rest.n == 0)
            return true;
        if (at.rest.p[0] != ':')
            return fail_at(x, "\":\" expected", &at);
    }
    if (cut_char(&at.rest, ':')) {
        m->has_else = true;
        if (!parse_branch(x, &at, &m->else_text, &braced))
            return false;
        if (at.rest.n > 0)
            return fail_at(x, "unexpected input", &at);
    }
    if (at.rest.n > 0)
        return fail_at(x, m->is_test ? "\"?\" expected" : "attribute name syntax error", &at);
    return true;
}

static bool is_number(slice s)
{
    int64_t unused;

    return cut_u63(&s, &unused) && s.n == 0;
}

static int compare_numbers(slice a, slice b)
{
    int64_t left = 0, right = 0;

    cut_u63(&a, &left);
    cut_u63(&b, &right);
    return left < right ? -1 : left > right;
}

static bool compare_levels(struct expansion *x, slice a, slice b, int *out)
{
    int64_t left, right;

    if (!conf_parse_level(a, &left))
        return fail(x, "malformed compatibility level syntax", a);
    if (!conf_parse_level(b, &right))
        return fail(x, "malformed compatibility level syntax", b);
    *out = left < right ? -1 : left > right;
    return true;
}

static bool holds(enum operator op, int order)
{
    switch (op) {
    case OP_EQ:
        return order == 0;
    case OP_NE:
        return order != 0;
    case OP_LE:
        return order <= 0;
    case OP_LT:
        return order < 0;
    case OP_GE:
        return order >= 0;
    case OP_GT:
        return order > 0;
    }
    return false;
}

static bool expand(struct expansion *x, slice text, struct buf *out);

static bool evaluate_test(struct expansion *x, const struct macro *m, bool *out)
{
    AUTO_BUF struct buf left = BUF_INIT(OPERAND_MAX_BYTES);
    AUTO_BUF struct buf right = BUF_INIT(OPERAND_MAX_BYTES);
    slice a, b;
    int order;

    if (!expand(x, m->left, &left) || !expand(x, m->right, &right))
        return false;
    a = buf_slice(&left);
    b = buf_slice(&right);
    if (m->by_level) {
        if (!compare_levels(x, a, b, &order))
            return false;
    } else if (is_number(a) && is_number(b)) {
        order = compare_numbers(a, b);
    } else {
        order = slice_cmp(a, b);
    }
    *out = holds(m->op, order);
    return true;
}

static const char *look_up(struct expansion *x, slice name)
{
    const char *value = conf_raw(x->conf, name);

    if (value == NULL && x->fallback != NULL)
        value = x->fallback(x->context, name);
    return value;
}

static bool expand_name(struct expansion *x, slice name, struct buf *out)
{
    const char *value;

    if (x->depth >= NESTING_MAX)
        return fail(x, "unreasonable macro call nesting", name);
    if (++x->lookups > LOOKUPS_MAX)
        return err_set(x->err, ERR_LIMIT, "macro processing error: parameter %s: too many names to expand", x->name);
    value = look_up(x, name);
    return value == NULL || expand(x, slice_text(value), out);
}

static bool expand_macro(struct expansion *x, slice body, struct buf *out)
{
    struct macro m = {0};
    bool chosen;

    if (!parse_macro(x, body, &m))
        return false;
    if (!m.is_test && !m.has_then && !m.has_else)
        return expand_name(x, m.name, out);
    if (m.is_test) {
        if (!evaluate_test(x, &m, &chosen))
            return false;
        if (!m.has_then && !m.has_else)
            return !chosen || buf_add(out, S("true")) || fail(x, "result too long", body);
    } else {
        const char *value = look_up(x, m.name);

        x->lookups++;
        chosen = value != NULL && value[0] != '\0';
    }
    if (chosen)
        return !m.has_then || expand(x, m.then_text, out);
    return !m.has_else || expand(x, m.else_text, out);
}

/* *REST begins behind a dollar.  *BODY is what stands in braces, or the bare name. */
static bool cut_reference(struct expansion *x, slice whole, slice *rest, slice *out, bool *braced)
{
    slice body;

    *braced = false;
    if (rest->n > 0 && (rest->p[0] == '{' || rest->p[0] == '(')) {
        bool brace = rest->p[0] == '{';

        if (!cut_balanced(rest, brace ? '{' : '(', brace ? '}' : ')', &body))
            return fail(x, "truncated macro reference", whole);
        if (slice_trim(body).n == 0)
            return fail(x, "empty macro name", whole);
        *braced = true;
    } else if (!cut_while(rest, is_name_char, &body)) {
        return fail(x, "empty macro name", whole);
    }
    *out = body;
    return true;
}

static bool expand_dollar(struct expansion *x, slice whole, slice *rest, struct buf *out)
{
    slice body;
    bool braced;

    if (cut_char(rest, '$'))
        return buf_add_char(out, '$') || fail(x, "result too long", whole);
    if (!cut_reference(x, whole, rest, &body, &braced))
        return false;
    return braced ? expand_macro(x, body, out) : expand_name(x, body, out);
}

static bool expand(struct expansion *x, slice text, struct buf *out)
{
    slice rest = text;
    bool ok = true;

    if (++x->depth > 2 * NESTING_MAX)
        return fail(x, "unreasonable macro call nesting", text);
    while (ok && rest.n > 0) {
        size_t dollar = slice_find(rest, '$');

        if (!buf_add(out, slice_head(rest, dollar)))
            return err_set(x->err, ERR_LIMIT, "macro processing error: parameter %s: the value is too long", x->name);
        if (dollar == SLICE_NONE)
            break;
        rest = slice_skip(rest, dollar + 1);
        ok = expand_dollar(x, text, &rest, out);
    }
    x->depth--;
    return ok;
}

bool conf_expand(const struct conf *c, conf_default_fn *fallback, void *context, const char *name, slice text,
                 struct buf *out, struct err *err)
{
    struct expansion x = {.conf = c, .fallback = fallback, .context = context, .name = name, .err = err};

    return expand(&x, text, out);
}

static bool scan(struct expansion *x, slice text, conf_name_fn *seen)
{
    slice rest = text, body;
    bool braced, ok = true;

    if (++x->depth > NESTING_MAX)
        return fail(x, "unreasonable macro call nesting", text);
    for (size_t dollar; ok && (dollar = slice_find(rest, '$')) != SLICE_NONE;) {
        struct macro m = {0};

        rest = slice_skip(rest, dollar + 1);
        if (cut_char(&rest, '$'))
            continue;
        if (!cut_reference(x, text, &rest, &body, &braced) || (braced && !parse_macro(x, body, &m)))
            return false;
        if (!m.is_test)
            seen(x->context, braced ? m.name : body);
        ok = scan(x, m.left, seen) && scan(x, m.right, seen) && scan(x, m.then_text, seen) && scan(x, m.else_text, seen);
    }
    x->depth--;
    return ok;
}

bool conf_scan_names(const char *name, slice text, conf_name_fn *seen, void *context, struct err *err)
{
    struct expansion x = {.context = context, .name = name, .err = err};

    return scan(&x, text, seen);
}
