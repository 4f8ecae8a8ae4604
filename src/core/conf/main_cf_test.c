#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "core/conf/main_cf.h"

static const char main_text[] = "myhostname = mx.test.invalid\n"
                                "x = $nothing\n"
                                "empty =\n"
                                "loop1 = $loop2\nloop2 = $loop1\n"
                                "loop3 = ${loop3}\n"
                                "mail_version = 3.7.11\n";

struct expansion_row {
    const char *name, *text;
    const char *value; /* NULL: an error that has ERROR in it */
    const char *error;
};

static const struct expansion_row expansions[] = {
    {"plain", "a b", "a b", NULL},
    {"dollars", "$$x $$$$", "$x $$", NULL},
    {"three ways to name", "$(myhostname)/${myhostname}/$myhostname.x",
     "mx.test.invalid/mx.test.invalid/mx.test.invalid.x", NULL},
    {"unset is empty", "<$nosuch>", "<>", NULL},
    {"value is set, though it expands to nothing", "${x?yes}|${x:no}", "yes|", NULL},
    {"empty is not set", "${empty?yes}|${empty:no}", "|no", NULL},
    {"then and else in braces", "${x?{a}:{b}} ${empty?{a}:{b}}", "a b", NULL},
    {"else without braces", "${x?{a}:b} ${empty?{a}:b}", "a b", NULL},
    {"blanks", "${ myhostname } ${x ? {a} : {b}}", "mx.test.invalid a", NULL},
    {"text after ? keeps its blanks", "${x ?t}|${x? t }|${x?{ a }}|", "t| t | a |", NULL},
    {"text after ? goes to the end", "${x?a:b} ${nothing:x:y} ${x:y}|", "a:b x:y |", NULL},
    {"braces inside text", "${x?a{b}c}", "a{b}c", NULL},
    {"nested", "${nothing?{a}:{${x?{in}:{out}}}}", "in", NULL},
    {"parentheses", "$(x?y)", "y", NULL},
    {"after a name", "$myhostname?x 100%$empty", "mx.test.invalid?x 100%", NULL},
    {"brace left over", "${b}} a{b", "} a{b", NULL},
    {"equal", "${{a} == {a}?{x}:{y}} ${{a} == {b}?{x}:{y}}", "x y", NULL},
    {"no blanks", "${{$x}=={}?{empty}:{full}}", "empty", NULL},
    {"test alone", "${{a} != {b}}|${{a} == {b}}|", "true||", NULL},
    {"numbers as numbers", "${{10} < {9}?{lt}:{ge}} ${{9} <= {10}?{le}:{gt}}", "ge le", NULL},
    {"else as texts", "${{10a} < {9}?{lt}:{ge}} ${{abc} > {abb}?{gt}:{le}}", "lt gt", NULL},
    {"levels", "${{3.6} <level {3.10}?{lt}:{ge}} ${{3.6} >=level {3.6}?{ge}:{lt}} ${{3} ==level {3.0.0}?{e}:{n}}",
     "lt ge e", NULL},
    {"operands are expanded", "${{$mail_version}>={3.7}?{a}:{b}}", "a", NULL},
    {"empty name with a test", "${?x}", "", NULL},
    {"no name", "a$", NULL, "empty macro name: \"a$\""},
    {"no name, but text", "a$-b", NULL, "empty macro name: \"a$-b\""},
    {"empty braces", "${}", NULL, "empty macro name: \"${}\""},
    {"open brace", "${b", NULL, "truncated macro reference: \"${b\""},
    {"open brace inside", "${b?{x}", NULL, "truncated macro reference: \"${b?{x}\""},
    {"unbalanced test", "$({)", NULL, "unbalanced {} in attribute expression: \"{\""},
    {"unbalanced branch", "$(b?{x)", NULL, "unbalanced {} in attribute expression: \"{x\""},
    {"wrong partner", "$(b}", NULL, "truncated macro reference: \"$(b}\""},
    {"no colon", "${nothing?{a}{b}}", NULL, "\":\" expected at: \"...a}>>>{b}\""},
    {"too much", "${nothing:{a}:{b}}", NULL, "unexpected input at: \"...a}>>>:{b}\""},
    {"bad name", "${my-host}", NULL, "attribute name syntax error at: \"...my>>>-host\""},
    {"no operator", "${{a}{a}}", NULL, "expected at: \"...a}>>>{a}\""},
    {"unknown operator", "${{a} foo {b}?{x}}", NULL, "expected at: \"...a}>>>foo {b}?{x}\""},
    {"no level", "${{a} <level {1}?{x}}", NULL, "malformed compatibility level syntax: \"a\""},
    {"names itself", "$loop3", NULL, "unreasonable macro call nesting: \"loop3\""},
    {"names itself by another", "$loop1", NULL, "unreasonable macro call nesting"},
};

static void test_expand(void **state)
{
    struct conf c;
    struct err err;

    (void)state;
    conf_init(&c);
    assert_true(conf_read_text(&c, "main.cf", slice_text(main_text), &err));
    for (size_t i = 0; i < COUNT_OF(expansions); i++) {
        const struct expansion_row *r = &expansions[i];
        AUTO_BUF struct buf out = BUF_INIT(1000);
        bool ok = conf_expand(&c, NULL, NULL, "p", slice_text(r->text), &out, &err);

        if (ok != (r->value != NULL))
            fail_msg("%s: %s", r->name, ok ? buf_text(&out) : err.text);
        if (ok && strcmp(r->value, buf_text(&out)) != 0)
            fail_msg("%s: got \"%s\"", r->name, buf_text(&out));
        if (!ok && strstr(err.text, r->error) == NULL)
            fail_msg("%s: says \"%s\"", r->name, err.text);
    }
    conf_done(&c);
}

/* a0=$a1$a1, a1=$a2$a2 ... ends by the bound on work, soon. */
static void test_expand_doubling(void **state)
{
    AUTO_BUF struct buf text = BUF_INIT(10000);
    AUTO_BUF struct buf out = BUF_INIT(10000);
    struct conf c;
    struct err err;

    (void)state;
    for (int i = 0; i < 60; i++)
        buf_addf(&text, "a%d = $a%d$a%d\n", i, i + 1, i + 1);
    conf_init(&c);
    assert_true(conf_read_text(&c, "main.cf", buf_slice(&text), &err));
    assert_false(conf_expand(&c, NULL, NULL, "p", S("$a0"), &out, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    conf_done(&c);
}

struct line_row {
    const char *name, *text;
    const char *a;     /* value of a, or NULL: not set */
    const char *error; /* NULL: none */
};

static const struct line_row lines[] = {
    {"simple", "a = b\n", "b", NULL},
    {"no blanks", "a=b", "b", NULL},
    {"empty value", "a =\n", "", NULL},
    {"later wins", "a=b\na=c\n", "c", NULL},
    {"equals in the value", "a = b = c\n", "b = c", NULL},
    {"continued, blanks kept", "a =   x\n   y,    c   \t\n# inner\n   # inner too\n\n  d e\n", "x   y,    c   \t  d e", NULL},
    {"CRLF", "a = b\r\nc = d\r\n", "b", NULL},
    {"comments only", "# a = b\n  # a = c\n\n", NULL, NULL},
    {"blank first", " a = b\n", NULL, NULL},
    {"no equals", "# x\na b\n", NULL, "main.cf, line 2: missing '=' after attribute name: \"a b\""},
    {"word before equals", "a b = c\n", NULL, "main.cf, line 1: missing '=' after attribute name: \"a b = c\""},
    {"no name", "= b\n", NULL, "main.cf, line 1: missing attribute name: \"= b\""},
    {"line counts comments", "a = b\n\n\t\n#x\n   c\nd\n", NULL, "main.cf, line 6: missing '=' after attribute name: \"d\""},
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        const struct line_row *r = &lines[i];
        struct conf c;
        struct err err;
        bool ok;
        const char *a;

        conf_init(&c);
        ok = conf_read_text(&c, "main.cf", slice_text(r->text), &err);
        if (ok != (r->error == NULL) || (!ok && strcmp(err.text, r->error) != 0))
            fail_msg("%s: %s", r->name, ok ? "no error" : err.text);
        a = conf_raw(&c, S("a"));
        if (ok && ((a == NULL) != (r->a == NULL) || (a != NULL && strcmp(a, r->a) != 0)))
            fail_msg("%s: a is \"%s\"", r->name, a == NULL ? "(unset)" : a);
        conf_done(&c);
    }
}

static void test_warning(void **state)
{
    struct conf c;
    struct err err;

    (void)state;
    conf_init(&c);
    assert_true(conf_read_text(&c, "/m", S(" a = b\nc = d\n"), &err));
    assert_string_equal(buf_text(&c.warnings), "/m: logical line must not start with whitespace: \" a = b\"\n");
    assert_string_equal(conf_raw(&c, S("c")), "d");
    buf_clear(&c.warnings);
    assert_true(conf_read_text(&c, "/m", S("c = d\n\nc = e\n"), &err));
    assert_string_equal(buf_text(&c.warnings), "/m, line 3: overriding earlier entry: c=d\n");
    conf_done(&c);
}

struct time_row {
    const char *text;
    bool ok;
    int64_t seconds;
};

static const struct time_row times[] = {
    {"10", true, 600}, {"10s", true, 10},    {"2h", true, 7200},        {"1d", true, 86400},  {"1w", true, 604800},
    {"s", true, 0},    {"0", true, 0},       {"", false, 0},            {"-1", false, 0},     {"3x", false, 0},
    {"1S", false, 0},  {"1 s", false, 0},    {"1.5h", false, 0},        {"10sm", false, 0},   {"90000w", false, 0},
    {"x", false, 0},   {"2147483647s", true, 2147483647}, {"99999999999999999999", false, 0},
};

static void test_times(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        int64_t us = -77;
        bool ok = conf_parse_time(slice_text(times[i].text), 'm', &us);

        if (ok != times[i].ok || us != (ok ? times[i].seconds * 1000000 : -77))
            fail_msg("\"%s\": %d %lld", times[i].text, ok, (long long)us);
    }
}

static void test_numbers(void **state)
{
    int64_t n = -77;
    bool yes = false;

    (void)state;
    assert_true(conf_parse_int(S("+1"), &n) && n == 1);
    assert_true(conf_parse_int(S("-1"), &n) && n == -1);
    assert_false(conf_parse_int(S("1x"), &n));
    assert_false(conf_parse_int(S(""), &n));
    assert_int_equal(n, -1);
    assert_true(conf_parse_bool(S("Yes"), &yes) && yes);
    assert_true(conf_parse_bool(S("no"), &yes) && !yes);
    assert_false(conf_parse_bool(S("maybe"), &yes));
    assert_true(conf_parse_level(S("3.6"), &n) && n == 3006000);
    assert_true(conf_parse_level(S("3.6.1"), &n) && n == 3006001);
    assert_false(conf_parse_level(S("3.6.1.2"), &n));
    assert_false(conf_parse_level(S("3."), &n));
    assert_false(conf_parse_level(S(""), &n));
}

struct item_row {
    const char *name, *list;
    const char *items; /* joined by '|', braced ones in < > */
    bool ok;
};

static const struct item_row items[] = {
    {"words", " a, b ,,c", "a|b|c", true},       {"none", " , ", "", true},
    {"braced", "a {b, c} d", "a|<b, c>|d", true}, {"braces trimmed", "{ b  }", "<b>", true},
    {"inside a word", "x:{a b} c", "x:{a b}|c", true}, {"open", "a {b", "a", false},
    {"text behind", "{b}c", "", false},          {"nested", "{a {b} c}", "<a {b} c>", true},
};

static void test_items(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        AUTO_BUF struct buf got = BUF_INIT(1000);
        slice list = slice_text(items[i].list), item;
        enum conf_got what;
        struct err err;
        bool braced;

        while ((what = conf_next_item(&list, ", \t", &item, &braced, &err)) == CONF_ITEM)
            buf_addf(&got, braced ? "%s<%.*s>" : "%s%.*s", got.n > 0 ? "|" : "", S_ARG(item));
        if ((what == CONF_END) != items[i].ok || strcmp(buf_text(&got), items[i].items) != 0)
            fail_msg("%s: %s", items[i].name, buf_text(&got));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),  cmocka_unit_test(test_expand_doubling), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_warning), cmocka_unit_test(test_times),           cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_items),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
