#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>

#include "mail/syntax/date.h"
#include "mail/syntax/header.h"
#include "mail/syntax/token.h"
#include "mail/syntax/xtext.h"

static const struct {
    const char *name, *plain, *coded;
} xtext_rows[] = {
    {"nothing", "", ""},
    {"plain", "rfc822", "rfc822"},
    {"plus and equals", "a+b=c", "a+2Bb+3Dc"},
    {"blank and control", "a b\x01", "a+20b+01"},
    {"eight bits", "\xff", "+FF"},
};

static void codes_xtext(void **state)
{
    AUTO_BUF struct buf special = BUF_INIT(100);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(xtext_rows); i++) {
        AUTO_BUF struct buf out = BUF_INIT(100), back = BUF_INIT(100);

        assert_true(xtext_encode(slice_text(xtext_rows[i].plain), S(""), &out));
        assert_string_equal(buf_text(&out), xtext_rows[i].coded);
        assert_true(xtext_decode(slice_text(xtext_rows[i].coded), &back));
        assert_string_equal(buf_text(&back), xtext_rows[i].plain);
    }
    assert_true(xtext_encode(S("a;b"), S(";"), &special));
    assert_string_equal(buf_text(&special), "a+3Bb");
    buf_clear(&special);
    assert_true(xtext_decode(S("+3b"), &special));
    assert_string_equal(buf_text(&special), ";");
    assert_false(xtext_decode(S("a+"), &special));
    assert_false(xtext_decode(S("a+4"), &special));
    assert_false(xtext_decode(S("a+4G"), &special));
}

static void prints_dates(void **state)
{
    char text[MAIL_DATE_MOST];

    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    mail_date_print(1795454304, text);
    assert_string_equal(text, "Mon, 23 Nov 2026 17:18:24 +0000 (UTC)");
    mail_date_print(0, text);
    assert_string_equal(text, "Thu,  1 Jan 1970 00:00:00 +0000 (UTC)");
    setenv("TZ", "XYZ3:30", 1);
    tzset();
    mail_date_print(1795454304, text);
    assert_string_equal(text, "Mon, 23 Nov 2026 13:48:24 -0330 (XYZ)");
}

static const struct {
    const char *name, *line;
    enum header_kind kind;
    const char *header_name, *value; /* NULL: not a header */
} line_rows[] = {
    {"plain", "Subject: hi", HEADER_SUBJECT, "Subject", " hi"},
    {"case", "sUBJECT:hi", HEADER_SUBJECT, "sUBJECT", "hi"},
    {"blank before colon", "To \t: a", HEADER_TO, "To", " a"},
    {"own", "X-Foo:", HEADER_OTHER, "X-Foo", ""},
    {"no colon", "hello world", HEADER_OTHER, NULL, NULL},
    {"blank inside", "hello world: x", HEADER_OTHER, NULL, NULL},
    {"leading blank", " To: a", HEADER_OTHER, NULL, NULL},
    {"only colon", ": a", HEADER_OTHER, NULL, NULL},
    {"eight bits", "\xc3\xa4: a", HEADER_OTHER, NULL, NULL},
    {"nothing", "", HEADER_OTHER, NULL, NULL},
};

static void knows_header_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(line_rows); i++) {
        slice name = S("poison"), value = S("poison");
        enum header_kind kind = HEADER_KINDS;
        bool good = header_line_parse(slice_text(line_rows[i].line), &name, &kind, &value);

        if (good != (line_rows[i].header_name != NULL))
            fail_msg("%s: %s", line_rows[i].name, good ? "accepted" : "refused");
        if (good) {
            assert_true(slice_eq(name, slice_text(line_rows[i].header_name)));
            assert_true(slice_eq(value, slice_text(line_rows[i].value)));
            assert_int_equal(kind, line_rows[i].kind);
        } else {
            assert_int_equal(kind, HEADER_KINDS);
            assert_true(slice_eq(name, S("poison")));
        }
    }
    assert_string_equal(header_kind_name(HEADER_MESSAGE_ID), "Message-Id");
}

static const struct {
    const char *name, *value, *addresses; /* internal forms joined by '|' */
} list_rows[] = {
    {"one", " alice", "alice"},
    {"two", "a@b, c@d", "a@b|c@d"},
    {"phrase", "\"A, B\" <a@b>, C D <c@d>", "a@b|c@d"},
    {"comments", "a@b (x, y), (z) c (w) @ d", "a@b|c@d"},
    {"group", "friends: a@b, c@d;, e", "a@b|c@d|e"},
    {"empty group", "undisclosed-recipients:;", ""},
    {"route", "<@x,@y:a@b>", "a@b"},
    {"quoted local part", "\"a b\"@c", "a b@c"},
    {"folded", "a@b,\n\tc@d", "a@b|c@d"},
    {"empty members", ",, a ,,", "a"},
    {"null", "<>", ""},
    {"forgotten >", "<a@b, c@d", "a@b|c@d"},
    {"words", "a b", "a b"},
    {"literal", "a@[1.2.3.4]", "a@[1.2.3.4]"},
    {"after the angle", "<a@b> x, c", "a@b|c"},
    {"open comment", "a (b, c", "a"},
};

static void finds_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(list_rows); i++) {
        AUTO_ARENA struct arena arena = ARENA_INIT(10000);
        AUTO_BUF struct buf got = BUF_INIT(1000);
        slice rest = slice_text(list_rows[i].value);
        struct header_address a;

        while (header_next_address(&rest, &arena, &a)) {
            if (got.n > 0)
                (void)buf_add_char(&got, '|');
            (void)buf_add(&got, a.address);
        }
        if (strcmp(buf_text(&got), list_rows[i].addresses) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", list_rows[i].name, buf_text(&got), list_rows[i].addresses);
    }
}

static void reports_places(void **state)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(10000);
    slice rest = S(" Foo <\"a b\"@c> (x)");
    struct header_address a;

    (void)state;
    assert_true(header_next_address(&rest, &arena, &a));
    assert_true(slice_eq(a.before, S(" Foo <")));
    assert_true(slice_eq(a.external, S("\"a b\"@c")));
    assert_true(slice_eq(a.address, S("a b@c")));
    assert_false(header_next_address(&rest, &arena, &a));
}

static void cuts_tokens(void **state)
{
    slice rest = S(" ab\\ c\"d e\"(f(g)h)[1]<\"open");
    static const struct {
        enum token_kind kind;
        const char *text;
    } want[] = {
        {TOKEN_ATOM, "ab\\ c"}, {TOKEN_QUOTED, "\"d e\""}, {TOKEN_COMMENT, "(f(g)h)"}, {TOKEN_LITERAL, "[1]"},
        {TOKEN_SPECIAL, "<"}, {TOKEN_QUOTED, "\"open"},
    };
    struct token t;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        assert_true(cut_token(&rest, &t));
        assert_int_equal(t.kind, want[i].kind);
        assert_true(slice_eq(t.text, slice_text(want[i].text)));
        assert_int_equal(t.closed, i + 1 < COUNT_OF(want));
    }
    assert_false(cut_token(&rest, &t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_xtext),     cmocka_unit_test(prints_dates),   cmocka_unit_test(knows_header_lines),
        cmocka_unit_test(finds_addresses), cmocka_unit_test(reports_places), cmocka_unit_test(cuts_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
