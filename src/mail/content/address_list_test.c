#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mail/content/address_list.h"

/* Every address without '@' gets "@h", as the printed header then shows; taken from what Debian's cleanup writes. */
static const struct {
    const char *name, *value, *printed;
} rows[] = {
    {"phrase", "\"Foo  Bar\"   <bob>,   alice (comment)", "To: \"Foo  Bar\" <bob@h>, alice@h (comment)"},
    {"two words are two addresses", "undisclosed-recipients:;, Foo Bar", "To: undisclosed-recipients: ;, Foo@h, Bar@h"},
    {"group", "friends: a, b;, c@host", "To: friends: a@h, b@h;, c@host"},
    {"word behind an angle", "a b (hi) <carol> trailing", "To: a b (hi) <carol@h>, trailing@h"},
    {"comments move", "alice (c1) (c2), (c0) bob , ,", "To: alice@h (c1) (c2), bob@h (c0), , "},
    {"comment behind an angle", "<alice> (x) , <bob>", "To: <alice@h>(x), <bob@h>"},
    {"comment inside an angle", "<alice (x)>, y", "To: <alice@h (x)>, y@h"},
    {"open angle", "<alice, y", "To: <alice@h, y@h"},
    {"stray >", "alice>, y", "To: alice@h>, y@h"},
    {"null", "<>, y", "To: <>, y@h"},
    {"two angles", "Foo Bar <x@y> <z>", "To: Foo Bar <x@y> <z@h>"},
    {"only a comment", "(only)", "To: (only)"},
    {"open comment", "x (unclosed", "To: x@h (unclosed"},
    {"open quote", "x \"unclosed", "To: x@h, \"unclosed\"@h"},
    {"open literal", "x [unclosed", "To: x@h, [unclosed]@h"},
    {"blanks go", "alice @ foo . com", "To: alice@foo.com"},
    {"open group", "g1:, c", "To: g1:@h, c@h"},
    {"stray ;", "x;y", "To: x@h;, y@h"},
    {"stray ; behind an angle", "<a@b>; c", "To: <a@b>;, c@h"},
    {"escape in a phrase", "F\\\"oo <x>", "To: \"F\\\"oo\" <x@h>"},
    {"escaped blank", "foo\\ bar <x>", "To: \"foo bar\" <x@h>"},
    {"needless escape", "a\\b <x>", "To: ab <x@h>"},
    {"dots in a phrase", "J. R. Ewing <x>", "To: J.R.Ewing <x@h>"},
    {"dot before the angle", "a.b. c <d>", "To: a.b.c <d@h>"},
    {"at in a phrase", "Foo@bar <x>", "To: Foo@bar <x@h>"},
    {"word between angles", "a <b> c <d>, x", "To: a <b@h>c <d@h>, x@h"},
    {"blank inside an angle", "foo <a b>, x", "To: foo <ab@h>, x@h"},
    {"list inside an angle", "<a, b>", "To: <a, b@h>"},
    {"comments inside an address", "foo (c2) @ (c3) bar, x", "To: foo@bar (c2) (c3), x@h"},
    {"comments between words", "x (a)(b) y", "To: x@h, y@h (a) (b)"},
    {"comment in a group's name", "a (c): b (d), c; (e) x", "To: a (c): b@h (d), c@h;, x@h (e)"},
    {"empty member", "a,,b", "To: a@h, , b@h"},
    {"leading comma", ",a", "To: , a@h"},
    {"null and a word", "x <> y", "To: x <>, y@h"},
    {"literal in a phrase", "[foo]bar <x>", "To: [foo] bar <x@h>"},
    {"stray bracket", "x ] y", "To: x]y@h"},
    {"route", "<@a,@b:c@d>, x", "To: <@a, @b:c@d>, x@h"},
    {"folded comment", "alice,\n\t(comment\n folded) bob", "To: alice@h, bob@h (comment  folded)"},
    {"nothing", " ", "To: "},
    {"69 stay", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@bbb, ccccccccccccc@ddd",
     "To: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@bbb, ccccccccccccc@ddd"},
    {"70 fold", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@bbb, cccccccccc@ddd",
     "To: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@bbb,\n\tcccccccccc@ddd"},
    {"a fold's tab does not count",
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b, "
     "cccccccccccccccccccccccccccccccccccccccccccc@dd, ddddddddddddddddd@ee",
     "To: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b,\n"
     "\tcccccccccccccccccccccccccccccccccccccccccccc@dd, ddddddddddddddddd@ee"},
};

static void prints_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena = ARENA_INIT(1000000);
        AUTO_BUF struct buf out = BUF_INIT(10000);
        struct list_node *first = NULL;

        assert_true(address_list_parse(slice_text(rows[i].value), 1000, &arena, &first));
        for (struct list_node *n = first; n != NULL; n = n->next)
            if (n->kind == NODE_ADDRESS && slice_find(n->text, '@') == SLICE_NONE)
                assert_true(arena_printf(&arena, &n->text, "%.*s@h", S_ARG(n->text)));
        assert_true(address_list_print(S("To"), first, 10000, &out));
        if (strcmp(buf_text(&out), rows[i].printed) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", rows[i].name, buf_text(&out), rows[i].printed);
    }
}

static void respects_limits(void **state)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(1000000), small = ARENA_INIT(200);
    AUTO_BUF struct buf out = BUF_INIT(10000);
    struct list_node *first = NULL;

    (void)state;
    assert_true(address_list_parse(S("a, b, c, d"), 3, &arena, &first));
    assert_true(address_list_print(S("To"), first, 10000, &out));
    assert_string_equal(buf_text(&out), "To: a, b");
    buf_clear(&out);
    assert_true(address_list_parse(S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, bbbbbbbb, cc, d"),
                                   1000, &arena, &first));
    assert_true(address_list_print(S("To"), first, 81, &out));
    assert_string_equal(buf_text(&out),
                        "To: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,\n\tbbbbbbbb, cc, d");
    buf_clear(&out);
    assert_true(address_list_print(S("To"), first, 80, &out));
    assert_string_equal(buf_text(&out), "To: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,");
    buf_clear(&out);
    assert_true(address_list_print(S("To"), first, 20, &out));
    assert_string_equal(buf_text(&out), "To: aaaaaaaaaaaaaaaa");
    assert_false(address_list_parse(S("a, b, c, d, e, f, g, h, i, j, k, l, m"), 1000, &small, &first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prints_lists), cmocka_unit_test(respects_limits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
