/* regexp, pcre, cidr: each expectation was seen from Debian's postmap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/table/inner.h"

struct row {
    const char *table, *key, *value; /* NULL: not found */
};

static const struct row rows[] = {
    {"regexp:{{/^a(b)c$/ got $1}}", "abc", "got b"},
    {"regexp:{{/^a(b)c$/ got $1}}", "ABC", "got B"},
    {"regexp:{{/^x/i case}}", "X1", NULL},
    {"regexp:{{/^x/i case}}", "x1", "case"},
    {"regexp:{{/nores/}}", "nores", ""},
    {"regexp:{{!/x/ one}}", "z", "one"},
    {"regexp:{{!/x/ one}}", "xz", NULL},
    {"regexp:{{!!/y/ two}}", "y", "two"},
    {"regexp:{{! /z/ three}}", "x", "three"},
    {"regexp:{{/e/ $$x}}", "e", "$x"},
    {"regexp:{{/b\\/s/ bs}}", "b/s", "bs"},
    {"regexp:{{~b/s~ bs}}", "b/s", "bs"},
    {"regexp:{{/((((((((((a))))))))))/ ten$10}}", "a", "tena"},
    {"regexp:{{/^m(.)(.)$/ $2-${1}-$(2)-$$}}", "mab", "b-a-b-$"},
    {"regexp:{{/yy/!/zz/ two}}", "yy", "two"},
    {"regexp:{{/yy/!/zz/ two}}", "yyzz", NULL},
    {"regexp:{{if /^k/} {/^k1/ kk1} {if !/^k2/} {/^k3/ kk3} {endif} {/^k2/ kk2} {endif}}", "k1", "kk1"},
    {"regexp:{{if /^k/} {/^k1/ kk1} {if !/^k2/} {/^k3/ kk3} {endif} {/^k2/ kk2} {endif}}", "K2", "kk2"},
    {"regexp:{{if /^k/} {/^k1/ kk1} {if !/^k2/} {/^k3/ kk3} {endif} {/^k2/ kk2} {endif}}", "k3", "kk3"},
    {"regexp:{{if /^k/} {/^k1/ kk1} {if !/^k2/} {/^k3/ kk3} {endif} {/^k2/ kk2} {endif}}", "k4", NULL},
    {"regexp:{{if /a/} {/ab/ yes} {if !/x/} {/ac/ no}}", "ac", "no"},
    {"regexp:{{/a.*$/m dots}}", "a\nb", "dots"},
    {"regexp:{{/^b/m second line}}", "a\nb", "second line"},
    {"regexp:{{/^b/ second line}}", "a\nb", NULL},
    {"regexp:{{/a(x)?b/ [$1]}}", "ab", "[]"},
    {"pcre:{{/^a(b)c$/ got $1}}", "ABC", "got B"},
    {"pcre:{{/^x/i case}}", "X1", NULL},
    {"pcre:{{/^(?!owner-)(.*)-outgoing@(.*)/ 550 Use ${1}@${2} instead}}", "list-outgoing@example.com",
     "550 Use list@example.com instead"},
    {"pcre:{{/^(?!owner-)(.*)-outgoing@(.*)/ 550 Use ${1}@${2} instead}}", "owner-list-outgoing@example.com", NULL},
    {"pcre:{{/a.b/ dot}}", "a\nb", "dot"},
    {"pcre:{{/a.b/s dot}}", "a\nb", NULL},
    {"pcre:{{/a b/x spaced}}", "ab", "spaced"},
    {"pcre:{{/b/A anchored}}", "ab", NULL},
    {"pcre:{{/(a+)/U $1}}", "aaa", "a"},
    {"pcre:{{if /^k/} {/^k1/ kk1} {endif} {/./ rest}}", "k2", "rest"},
    {"pcre:{{/a(x)?(b)/ [$1$2]}}", "ab", "[b]"},
    {"cidr:{{10.0.0.0/8 ten} {10.1.1.1 one}}", "10.1.1.1", "ten"},
    {"cidr:{{!192.168.0.0/16 notnet} {192.168.2.1 x}}", "192.168.2.1", "x"},
    {"cidr:{{!192.168.0.0/16 notnet}}", "8.0.0.1", "notnet"},
    {"cidr:{{!192.168.0.0/16 notnet}}", "::1", NULL},
    {"cidr:{{if 192.168.1.0/24} {192.168.1.1 c1} {!192.168.1.2 c2} {endif} {! 192.168.3.3 sp}}", "192.168.1.1", "c1"},
    {"cidr:{{if 192.168.1.0/24} {192.168.1.1 c1} {!192.168.1.2 c2} {endif} {! 192.168.3.3 sp}}", "192.168.1.2", "sp"},
    {"cidr:{{if 192.168.1.0/24} {192.168.1.1 c1} {!192.168.1.2 c2} {endif} {! 192.168.3.3 sp}}", "192.168.1.3", "c2"},
    {"cidr:{{if !10.0.0.0/8} {0.0.0.0/0 out} {endif} {10.0.0.0/8 in}}", "10.1.1.1", "in"},
    {"cidr:{{if !10.0.0.0/8} {0.0.0.0/0 out} {endif} {10.0.0.0/8 in}}", "11.1.1.1", "out"},
    {"cidr:{{::1 v6} {[2001:db8::]/32 v6net}}", "2001:DB8::5", "v6net"},
    {"cidr:{{::1 v6} {[2001:db8::]/32 v6net}}", "::1", "v6"},
    {"cidr:{{::1 v6}}", "[::1]", NULL},
    {"cidr:{{10.0.0.0/8 ten}}", "[10.1.1.1]", NULL},
    {"cidr:{{10.0.0.0/8 ten}}", "foo", NULL},
    {"cidr:{{10.0.0.0/8 ten}}", "::ffff:10.1.1.1", NULL},
};

static void test_rows(void **state)
{
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf value = BUF_INIT(1000);
        struct table *t = table_open(slice_text(rows[i].table), TABLE_FOLD, &err);
        assert_non_null(t);
        if (table_problem(t) != NULL)
            fail_msg("%s: %s", rows[i].table, table_problem(t)->text);
        enum table_got got = table_get(t, slice_text(rows[i].key), NEVER, &value, &err);
        const char *is = got == TABLE_FOUND ? buf_text(&value) : got == TABLE_NOT_FOUND ? NULL : err.text;
        if (is == NULL ? rows[i].value != NULL : rows[i].value == NULL || strcmp(is, rows[i].value) != 0)
            fail_msg("%s: %s: %s", rows[i].table, rows[i].key, is == NULL ? "not found" : is);
        table_close(t);
    }
}

static const struct {
    const char *table, *warnings;
} warned[] = {
    {"regexp:{{/nores/}}", "line 1: no replacement text: using empty string\n"},
    {"regexp:{{/bad(/ x}}", "line 1: Unmatched ( or \\(\n"},
    {"pcre:{{/bad(/ x}}", "line 1: error in regex at offset 4: missing closing parenthesis\n"},
    {"regexp:{{/nodelim x}}", "line 1: no closing regexp delimiter \"/\": skipping this rule\n"},
    {"pcre:{{/nodelim x}}", "line 1: no closing regexp delimiter \"/\": ignoring this rule\n"},
    {"regexp:{{/m(.)/ $9}}", "line 1: out of range replacement index \"9\": skipping this rule\n"},
    {"regexp:{{!/^q/ neg $1}}", "line 1: $number found in negative match replacement text: skipping this rule\n"},
    {"regexp:{{abc def}}", "line 1: ignoring unrecognized request\n"},
    {"regexp:{{/flags/z foo}}", "line 1: unknown regexp option \"z\": skipping this rule\n"},
    {"regexp:{{endif}}", "line 1: ignoring ENDIF without matching IF\n"},
    {"regexp:{{if}}", "line 1: no regexp: skipping this rule\n"},
    {"regexp:{{if foo}}", "line 1: no closing regexp delimiter \"f\": skipping this rule\n"},
    {"regexp:{{if /x/} {endif extra}}", "line 2: ignoring extra text after ENDIF\n"},
    {"regexp:{{/x/ $x}}", "line 1: non-numeric replacement index \"x\"\n|line 1: bad replacement syntax: skipping this rule\n"},
    {"regexp:{{/x/ $1y}}", "line 1: non-numeric replacement index \"1y\"\n|line 1: bad replacement syntax: skipping this rule\n"},
    {"regexp:{{/x/ $0}}", "line 1: out-of-range replacement index \"0\"\n|line 1: bad replacement syntax: skipping this rule\n"},
    {"pcre:{{/x/ $0}}", "line 1: out of range replacement index \"0\"\n|line 1: bad replacement syntax: skipping this rule\n"},
    {"pcre:{{/a/X foo}}", "line 1: ignoring obsolete regexp option \"X\"\n"},
    {"pcre:{{/yy/!/zz/ two}}", "line 1: unknown regexp option \"!\": skipping this rule\n"},
    {"regexp:{{if /a/} {/ab/ yes} {if !/x/} {/ac/ no}}", "line 3: IF has no matching ENDIF\n|line 1: IF has no matching ENDIF\n"},
    {"cidr:{{10.0.0.1/8 x}}", "line 1: non-null host address bits in \"10.0.0.1/8\", perhaps you should use \"10.0.0.0/8\" instead: skipping this rule\n"},
    {"cidr:{{300.1.1.1 bad}}", "line 1: bad address pattern: \"300.1.1.1\": skipping this rule\n"},
    {"cidr:{{endif}}", "line 1: ENDIF without IF: skipping this rule\n"},
    {"cidr:{{192.168.0.0/33 bad}}", "line 1: bad mask length in \"192.168.0.0/33\": skipping this rule\n"},
    {"cidr:{{192.168.0.0/-1 bad}}", "line 1: bad mask value in \"192.168.0.0/-1\": skipping this rule\n"},
    {"cidr:{{192.168.0.0/ bad}}", "line 1: bad mask value in \"192.168.0.0/\": skipping this rule\n"},
    {"cidr:{{192.168.2.1}}", "line 1: no lookup result: skipping this rule\n"},
    {"cidr:{{010.0.0.0/8 octal}}", "line 1: bad network value in \"010.0.0.0/8\": skipping this rule\n"},
    {"cidr:{{if}}", "line 1: no address pattern: skipping this rule\n"},
    {"cidr:{{if 1.2.3.4 text}}", "line 1: bad address pattern: \"1.2.3.4 text\": skipping this rule\n"},
    {"cidr:{{if 10.0.0.0/8} {10.1.1.1 yes}}", "line 1: IF has no matching ENDIF\n"},
};

/* Puts "regexp map {...}, " in front of each line of the expectation. */
static void expected_warnings(const char *table, const char *lines, struct buf *out)
{
    slice type = slice_head(slice_text(table), slice_find(slice_text(table), ':'));

    for (const char *at = lines; *at != '\0';) {
        const char *end = strchr(at, '\n') + 1;
        buf_addf(out, "%.*s map %s, %.*s", S_ARG(type), table + type.n + 1, (int)(end - at), at);
        at = *end == '|' ? end + 1 : end;
    }
}

static void test_warnings(void **state)
{
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(warned); i++) {
        AUTO_BUF struct buf expected = BUF_INIT(5000), got = BUF_INIT(5000);
        struct table *t = table_open(slice_text(warned[i].table), 0, &err);
        assert_non_null(t);
        expected_warnings(warned[i].table, warned[i].warnings, &expected);
        buf_add(&got, table_warnings(t));
        assert_string_equal(buf_text(&got), buf_text(&expected));
        table_close(t);
    }
}

static void test_syntax_of_references(void **state)
{
    struct err err;
    AUTO_BUF struct buf got = BUF_INIT(5000);

    (void)state;
    struct table *t = table_open(S("regexp:{{/x/ a$}}"), 0, &err);
    buf_add(&got, table_warnings(t));
    assert_string_equal(buf_text(&got), "empty macro name: \"a$\"\n"
                                        "regexp map {{/x/ a$}}, line 1: bad replacement syntax: skipping this rule\n");
    table_close(t);
}

static void test_substitution_can_be_forbidden(void **state)
{
    struct err err;
    AUTO_BUF struct buf value = BUF_INIT(100);

    (void)state;
    struct table *t = table_open(S("pcre:{{/(x)/ $1} {/y/ fine}}"), TABLE_NO_REGSUB, &err);
    assert_int_equal(TABLE_NOT_FOUND, table_get(t, S("x"), NEVER, &value, &err));
    assert_int_equal(TABLE_FOUND, table_get(t, S("y"), NEVER, &value, &err));
    table_close(t);
}

static void test_runaway_patterns_fail(void **state)
{
    struct err err;
    AUTO_BUF struct buf value = BUF_INIT(100);

    (void)state;
    struct table *t = table_open(S("pcre:{{/^(a+)+$/ x}}"), 0, &err);
    assert_int_equal(TABLE_FAILED, table_get(t, S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), NEVER, &value, &err));
    table_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_syntax_of_references),
        cmocka_unit_test(test_substitution_can_be_forbidden),
        cmocka_unit_test(test_runaway_patterns_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
