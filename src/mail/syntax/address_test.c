#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mail/syntax/address.h"

static void assert_slice(const char *name, const char *what, slice got, const char *want)
{
    if (!slice_eq(got, slice_text(want)))
        fail_msg("%s: %s is \"%.*s\", not \"%s\"", name, what, S_ARG(got), want);
}

struct quote_row {
    const char *name, *internal, *external;
};

static const struct quote_row quote_rows[] = {
    {"plain", "alice@example.com", "alice@example.com"},
    {"no domain", "alice", "alice"},
    {"nothing", "", ""},
    {"dots", "a.b.c@example.com", "a.b.c@example.com"},
    {"blank", "a b@example.com", "\"a b\"@example.com"},
    {"quote and backslash", "a\"b\\c@example.com", "\"a\\\"b\\\\c\"@example.com"},
    {"at in local part", "a@b@example.com", "\"a@b\"@example.com"},
    {"leading dot", ".a@example.com", "\".a\"@example.com"},
    {"trailing dot", "a.@example.com", "\"a.\"@example.com"},
    {"two dots", "a..b@example.com", "\"a..b\"@example.com"},
    {"specials", "a,b@example.com", "\"a,b\"@example.com"},
    {"atext marks", "!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"},
    {"eight bits", "\xc3\xa4@example.com", "\xc3\xa4@example.com"},
    {"control", "a\x01@example.com", "\"a\x01\"@example.com"},
    {"cr", "a\r@example.com", "\"a\\\r\"@example.com"},
    {"domain is not looked at", "a@[1.2.3.4]", "a@[1.2.3.4]"},
    {"empty local part", "@example.com", "\"\"@example.com"},
};

static void quotes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(quote_rows); i++) {
        const struct quote_row *r = &quote_rows[i];
        AUTO_BUF struct buf out = BUF_INIT(1000), back = BUF_INIT(1000);

        assert_true(address_quote(slice_text(r->internal), &out));
        assert_slice(r->name, "external", buf_slice(&out), r->external);
        assert_true(address_unquote(slice_text(r->external), &back));
        assert_slice(r->name, "internal", buf_slice(&back), r->internal);
    }
}

static const struct quote_row unquote_rows[] = {
    {"needless quotes", "a@b.c", "\"a\"@b.c"},
    {"partly quoted", "a b c@d", "a\" b \"c@d"},
    {"escape outside quotes", "a@b@c", "a\\@b@c"},
    {"open quote", "a b", "\"a b"},
    {"backslash at the end", "a\\", "a\\"},
    {"quote in domain", "a@\"b\"", "a@\"b\""},
};

static void unquotes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(unquote_rows); i++) {
        AUTO_BUF struct buf out = BUF_INIT(1000);

        assert_true(address_unquote(slice_text(unquote_rows[i].external), &out));
        assert_slice(unquote_rows[i].name, "internal", buf_slice(&out), unquote_rows[i].internal);
    }
}

static void splits(void **state)
{
    slice local, domain;

    (void)state;
    address_split(S("a@b@c"), &local, &domain);
    assert_slice("two ats", "local", local, "a@b");
    assert_slice("two ats", "domain", domain, "c");
    address_split(S("abc"), &local, &domain);
    assert_slice("no at", "local", local, "abc");
    assert_slice("no at", "domain", domain, "");
}

static const struct {
    const char *name, *local, *delimiters, *base, *extension;
} extension_rows[] = {
    {"one", "user+ext", "+", "user", "ext"},
    {"first of two", "a+b+c", "+", "a", "b+c"},
    {"set", "a-b+c", "+-", "a", "b+c"},
    {"none", "user", "+", "user", ""},
    {"no delimiter", "user+ext", "", "user+ext", ""},
    {"at start", "+a+b", "+", "+a+b", ""},
    {"empty extension", "user+", "+", "user", ""},
    {"owner", "owner-list", "-", "owner-list", ""},
    {"request", "list-request", "-", "list-request", ""},
    {"owner with plus", "owner-list+x", "+", "owner-list", "x"},
    {"double bounce", "double-bounce", "-", "double-bounce", ""},
    {"mailer daemon", "MAILER-DAEMON", "-", "MAILER-DAEMON", ""},
};

static void splits_extension(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(extension_rows); i++) {
        slice base, extension;

        address_split_extension(slice_text(extension_rows[i].local), slice_text(extension_rows[i].delimiters), &base,
                                &extension);
        assert_slice(extension_rows[i].name, "base", base, extension_rows[i].base);
        assert_slice(extension_rows[i].name, "extension", extension, extension_rows[i].extension);
    }
}

static const struct {
    const char *name, *line;
    bool strict, allow_empty;
    const char *address; /* NULL: bad syntax */
    const char *rest;
} path_rows[] = {
    {"plain", "<a@b.c>", true, false, "a@b.c", ""},
    {"parameters stay", "<a@b.c> SIZE=10", true, false, "a@b.c", " SIZE=10"},
    {"bare", "a@b.c SIZE=10", false, false, "a@b.c", " SIZE=10"},
    {"bare, strict", "a@b.c", true, false, NULL, "a@b.c"},
    {"null", "<>", true, true, "", ""},
    {"null where forbidden", "<>", false, false, NULL, "<>"},
    {"leading blank", "  <a@b>", true, false, "a@b", ""},
    {"route", "<@x,@y:a@b>", true, false, "a@b", ""},
    {"quoted", "<\"a b\"@c>", true, false, "a b@c", ""},
    {"quoted >", "<\"a>b\"@c> X", true, false, "a>b@c", " X"},
    {"blanks inside", "< a@b >", false, false, "a@b", ""},
    {"comment", "<a(x)@b>", false, false, "a@b", ""},
    {"comment, strict", "<a(x)@b>", true, false, NULL, "<a(x)@b>"},
    {"two ats", "<a@@b>", false, false, "a@@b", ""},
    {"two words", "<a b>", false, false, NULL, "<a b>"},
    {"open angle", "<a@b", false, false, NULL, "<a@b"},
    {"open quote", "<\"a@b>", false, false, NULL, "<\"a@b>"},
    {"literal", "<a@[1.2.3.4]>", true, false, "a@[1.2.3.4]", ""},
    {"nothing", "", false, true, NULL, ""},
    {"list", "<a@b,c@d>", false, false, NULL, "<a@b,c@d>"},
};

static void cuts_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(path_rows); i++) {
        struct smtp_path_options o = {.strict = path_rows[i].strict, .allow_empty = path_rows[i].allow_empty};
        slice line = slice_text(path_rows[i].line);
        AUTO_BUF struct buf out = BUF_INIT(1000);
        bool good = cut_smtp_path(&line, &o, &out);

        if (good != (path_rows[i].address != NULL))
            fail_msg("%s: %s", path_rows[i].name, good ? "accepted" : "refused");
        assert_slice(path_rows[i].name, "address", buf_slice(&out), good ? path_rows[i].address : "");
        assert_slice(path_rows[i].name, "rest", line, path_rows[i].rest);
    }
}

static void knows_domains(void **state)
{
    static const char *const good[] = {"a", "a.b", "a-b.c", "1.example", "a_b.c", "xn--x.y", "1a"};
    static const char *const bad[] = {"", ".", "a.", ".a", "a..b", "-a", "a-", "a-.b", "a.-b", "1.2.3.4", "a b", "a\xc3\xa4"};
    char label[70];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (!hostname_valid(slice_text(good[i])))
            fail_msg("%s is valid", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (hostname_valid(slice_text(bad[i])))
            fail_msg("%s is not valid", bad[i]);
    memset(label, 'a', sizeof label);
    assert_true(hostname_valid(slice_of(label, 63)));
    assert_false(hostname_valid(slice_of(label, 64)));
    assert_true(domain_is_literal(S("[1.2.3.4]")));
    assert_false(domain_is_literal(S("[1.2.3.4")));
    assert_false(domain_is_literal(S("[")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes), cmocka_unit_test(unquotes), cmocka_unit_test(splits), cmocka_unit_test(splits_extension),
        cmocka_unit_test(cuts_paths), cmocka_unit_test(knows_domains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
