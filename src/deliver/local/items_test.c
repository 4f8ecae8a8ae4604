/* The right sides of aliases, as one writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>

#include "core/base/buf.h"
#include "deliver/local/local.h"

static void collect(void *arg, slice item)
{
    (void)buf_addf(arg, "[%.*s]", S_ARG(item));
}

static void texts(void **state)
{
    static const struct {
        const char *text, *items;
    } rows[] = {
        {"", ""},
        {" ,;\n ", ""},
        {"alice", "[alice]"},
        {"alice, bob;carol\ndave", "[alice][bob][carol][dave]"},
        {"alice bob", "[alice][bob]"},
        {"alice (a comment, with a comma)", "[alice]"},
        {"(c) bob, carol (c2)", "[bob][carol]"},
        {"Friends: alice, bob;", "[alice][bob]"},
        {":nosuch:", "[:nosuch:]"},
        {"Friends:alice, bob;carol", "[alice][bob][carol]"},
        {"|cmd:x, /file:x, \"a:b\"", "[|cmd:x][/file:x][a:b]"},
        {"<alice>, Some One <bob@example.com>", "[alice][bob@example.com]"},
        {"\\alice", "[\\alice]"},
        {"\"alice\"", "[alice]"},
        {"\"a b\"@example.com", "[\"a b\"@example.com]"},
        {"|/bin/true", "[|/bin/true]"},
        {"\"|/bin/echo a@b.c, d; e\"", "[|/bin/echo a@b.c, d; e]"},
        {"\"|echo \\\"x\\\" 'y'\", bob", "[|echo \"x\" 'y'][bob]"},
        {"|echo x", "[|echo][x]"},
        {"/var/mail/x, \"/var/mail/a b\"", "[/var/mail/x][/var/mail/a b]"},
        {":include:/etc/list, alice", "[:include:/etc/list][alice]"},
        {"\":include:/etc/a list\"", "[:include:/etc/a list]"},
        {"\"no end, of quotes", "[\"no end, of quotes]"},
        {"\"", "[\"]"},
        {"\"\\", "[\"\\]"},
        {"(no end, bob", ""},
        {"alice (one (two, \\) three) four), bob", "[alice][bob]"},
        {")alice(, bob", "[)alice]"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena = ARENA_INIT(100000);
        AUTO_BUF struct buf got = BUF_INIT(1000);
        size_t n = items_each(slice_text(rows[i].text), &arena, collect, &got), brackets = 0;

        for (const char *c = rows[i].items; *c != '\0'; c++)
            brackets += *c == '[';
        assert_string_equal(buf_text(&got), rows[i].items);
        assert_int_equal(n, brackets);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
