/* Every type is held to the same rules; files that Debian's postmap made are in fixtures/. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/table/inner.h"

static char dir[] = "/tmp/table_test.XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL || chdir(dir) != 0 ? -1 : 0;
}

static int remove_dir(void **state)
{
    char command[100];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return chdir("/") != 0 || system(command) != 0 ? -1 : 0;
}

static void write_file(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    struct err err;

    assert_true(fd >= 0 && file_write_all(fd, slice_text(text), &err));
    close(fd);
}

/* "" stands for not found, "!" for failed. */
static void expect_in(struct table *t, const char *key, const char *expected, const char *what)
{
    struct err err;
    AUTO_BUF struct buf value = BUF_INIT(10000);

    buf_add_text(&value, "poison");
    switch (table_get(t, slice_text(key), NEVER, &value, &err)) {
    case TABLE_FOUND:
        if (strcmp(buf_text(&value), expected) != 0)
            fail_msg("%s: %s: got \"%s\", expected \"%s\"", what, key, buf_text(&value), expected);
        break;
    case TABLE_NOT_FOUND:
        if (*expected != '\0')
            fail_msg("%s: %s: not found, expected \"%s\"", what, key, expected);
        assert_int_equal(value.n, 0);
        break;
    case TABLE_FAILED:
        if (strcmp(expected, "!") != 0)
            fail_msg("%s: %s: %s", what, key, err.text);
        assert_true(err.text[0] != '\0');
        break;
    }
}

static struct table *open_or_fail(const char *name, unsigned flags)
{
    struct err err;
    struct table *t = table_open(slice_text(name), flags | TABLE_NO_LOOP | TABLE_NO_PROXY, &err);

    if (t == NULL)
        fail_msg("%s: %s", name, err.text);
    return t;
}

static void put_all(const char *name, unsigned flags)
{
    static const char *const pairs[][2] = {{"alice", "one"}, {"bob@example.com", "two words"}, {"UPPER", "kept"}};
    struct table_write_options o = {.flags = TABLE_WRITE_TRUNCATE | flags};
    struct err err;
    struct table_writer *w = table_writer_open_as(slice_text(name), &o, &err);

    if (w == NULL)
        fail_msg("%s: %s", name, err.text);
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        assert_int_equal(TABLE_PUT_OK, table_writer_put(w, slice_text(pairs[i][0]), slice_text(pairs[i][1]), false, &err));
    assert_int_equal(TABLE_PUT_DUPLICATE, table_writer_put(w, S("alice"), S("again"), false, &err));
    assert_true(table_writer_close(w, &err));
}

/* ---- all types answer alike ---- */

struct subject {
    const char *name;
    const char *found, *value; /* a pair that is there */
    const char *missing;       /* NULL: finds everything */
    bool folds;                /* found under another case with TABLE_FOLD */
};

static const struct subject subjects[] = {
    {"texthash:t", "alice", "one", "nobody", true},
    {"hash:made", "alice", "one", "nobody", true},
    {"btree:madeb", "alice", "one", "nobody", true},
    {"lmdb:made", "alice", "one", "nobody", true},
    {"hash:plain", "alice", "one", "nobody", true},
    {"lmdb:plain", "alice", "one", "nobody", true},
    {"inline:{alice=one, { bob = two words }}", "alice", "one", "nobody", true},
    {"inline:{alice=one, { bob = two words }}", "bob", "two words", "nobody", true},
    {"static:one", "alice", "one", NULL, true},
    {"static:{ one two }", "alice", "one two", NULL, true},
    {"regexp:{{/^alice$/ one}}", "alice", "one", "nobody", true},
    {"pcre:{{/^alice$/ one}}", "alice", "one", "nobody", true},
    {"cidr:{{192.0.2.0/24 one}}", "192.0.2.7", "one", "192.0.3.1", false},
    {"unix:group.byname", "root", "root:x:0:", "no-such-group", false},
    {"proxy:texthash:t", "alice", "one", "nobody", true},
    {"unionmap:{inline:{alice=one},inline:{alice=two}}", "alice", "one,two", "nobody", true},
    {"pipemap:{inline:{alice=bob},inline:{bob=two}}", "alice", "two", "nobody", true},
    {"randmap:{one}", "alice", "one", NULL, true},
};

static void test_all_types_answer_alike(void **state)
{
    (void)state;
    write_file("t", "alice one\nbob@example.com two words\n");
    put_all("hash:made", 0);
    put_all("btree:madeb", 0);
    put_all("lmdb:made", 0);
    put_all("hash:plain", TABLE_WRITE_NO_NUL);
    put_all("lmdb:plain", TABLE_WRITE_NO_NUL);
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        const struct subject *s = &subjects[i];
        AUTO_BUF struct buf upper = BUF_INIT(1000);
        struct table *t = open_or_fail(s->name, TABLE_FOLD);

        assert_string_equal(table_name(t), s->name);
        assert_null(table_problem(t));
        assert_int_equal(table_warnings(t).n, 0);
        assert_false(table_changed(t));
        expect_in(t, s->found, s->value, s->name);
        expect_in(t, s->found, s->value, s->name);
        if (s->missing != NULL) {
            expect_in(t, s->missing, "", s->name);
            expect_in(t, "", "", s->name);
        }
        for (const char *c = s->found; *c != '\0'; c++)
            buf_add_char(&upper, ascii_upper(*c));
        if (s->folds)
            expect_in(t, buf_text(&upper), s->value, s->name);
        table_close(t);
    }
}

static void test_a_value_too_long_fails(void **state)
{
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        struct table *t = open_or_fail(subjects[i].name, TABLE_FOLD);
        AUTO_BUF struct buf tiny = BUF_INIT(2);
        assert_int_equal(TABLE_FAILED, table_get(t, slice_text(subjects[i].found), NEVER, &tiny, &err));
        table_close(t);
    }
}

static void test_no_folding_without_the_flag(void **state)
{
    (void)state;
    struct table *t = open_or_fail("hash:made", 0);
    expect_in(t, "UPPER", "kept", "hash");
    expect_in(t, "upper", "", "hash");
    expect_in(t, "ALICE", "", "hash");
    table_close(t);
}

/* ---- Debian's files ---- */

static void test_files_made_by_debian(void **state)
{
    static const char *const names[] = {"hash:%s/debian_hash", "btree:%s/debian_btree", "lmdb:%s/debian_lmdb",
                                        "hash:%s/debian_plain"};
    const char *fixtures = *state;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char name[600];
        AUTO_BUF struct buf format = BUF_INIT(600);
        slice before, rest = slice_text(names[i]);
        assert_true(cut_until(&rest, '%', &before));
        buf_add(&format, before);
        buf_add_text(&format, fixtures);
        buf_add(&format, slice_skip(rest, 1));
        snprintf(name, sizeof name, "%s", buf_text(&format));
        struct table *t = open_or_fail(name, TABLE_FOLD);
        if (table_problem(t) != NULL)
            fail_msg("%s", table_problem(t)->text);
        expect_in(t, "Alice", "value one", name);
        expect_in(t, "bob@example.com", "two words", name);
        expect_in(t, "\"a b\"@c", "quoted", name);
        expect_in(t, "carol", "", name);
        table_close(t);
    }
}

/* ---- what cannot be opened ---- */

static const struct {
    const char *name, *problem;
} broken[] = {
    {"hash:/nope", "open database /nope.db: No such file or directory"},
    {"btree:/nope", "open database /nope.db: No such file or directory"},
    {"lmdb:/nope", "open database /nope.lmdb: No such file or directory"},
    {"texthash:/nope", "open database /nope: No such file or directory"},
    {"regexp:/nope", "open /nope: No such file or directory"},
    {"pcre:/nope", "open /nope: No such file or directory"},
    {"cidr:/nope", "open /nope: No such file or directory"},
    {"hash:t", "open database t.db: Invalid argument"},
    {"nosuch:x", "unsupported dictionary type: nosuch"},
    {"unix:foo", "unknown table: unix:foo"},
    {"inline:{}", "bad syntax: \"inline:{}\"; need \"inline:{name=value...}\""},
    {"inline:{a}", "missing '=' after attribute name: \"inline:{a}\"; need \"inline:{name=value...}\""},
    {"inline:foo", "bad syntax: \"inline:foo\"; need \"inline:{name=value...}\""},
    {"inline:{a=b,c=d}x", "bad syntax: \"inline:{a=b,c=d}x\"; need \"inline:{name=value...}\""},
    {"inline:{ a = b }", "missing '=' after attribute name: \"inline:{ a = b }\"; need \"inline:{name=value...}\""},
    {"static:{a}b", "bad static:name syntax: syntax error after '}' in \"{a}b\""},
    {"cidr:{10.0.0.0/8 v}", "cidr map: no '{' at start of text in \"10.0.0.0/8\""},
    {"cidr:{{10.0.0.0/8 v}", "cidr map: missing '}' in \"{{10.0.0.0/8 v}\""},
};

static void test_what_cannot_be_opened_fails_each_look_up(void **state)
{
    (void)state;
    write_file("t.db", "this is no database, but it is long enough to look like one .................................");
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        struct table *t = open_or_fail(broken[i].name, 0);
        assert_non_null(table_problem(t));
        assert_string_equal(table_problem(t)->text, broken[i].problem);
        expect_in(t, "a", "!", broken[i].name);
        assert_false(table_changed(t));
        table_close(t);
    }
    struct err err;
    AUTO_BUF struct buf value = BUF_INIT(100);
    struct table *t = open_or_fail("hash:/nope", 0);
    assert_int_equal(TABLE_FAILED, table_get(t, S("a"), NEVER, &value, &err));
    assert_string_equal(err.text, "hash:/nope is unavailable. open database /nope.db: No such file or directory");
    table_close(t);
}

static void test_a_name_needs_type_and_name(void **state)
{
    static const char *const names[] = {"noform", "static:", ":x", ""};
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_null(table_open(slice_text(names[i]), 0, &err));
    assert_null(table_open(S("noform"), 0, &err));
    assert_string_equal(err.text, "open dictionary: expecting \"type:name\" form instead of \"noform\"");
}

/* ---- writing ---- */

static const char *const writable[] = {"hash:w", "btree:wb", "lmdb:w"};

static bool count_pair(void *context, slice key, slice value)
{
    (void)key;
    (void)value;
    ++*(int *)context;
    return true;
}

static void test_writers_build_beside_and_readers_notice(void **state)
{
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(writable); i++) {
        put_all(writable[i], 0);
        struct table *t = open_or_fail(writable[i], 0);
        struct table_writer *w = table_writer_open(slice_text(writable[i]), true, &err);
        assert_non_null(w);
        assert_int_equal(TABLE_PUT_OK, table_writer_put(w, S("new"), S("n"), false, &err));
        /* The old one is whole until the new one is. */
        assert_false(table_changed(t));
        expect_in(t, "new", "", writable[i]);
        assert_true(table_writer_close(w, &err));
        assert_true(table_changed(t));
        table_close(t);
        t = open_or_fail(writable[i], 0);
        expect_in(t, "new", "n", writable[i]);
        expect_in(t, "alice", "", writable[i]);
        table_close(t);
    }
}

static void test_an_abandoned_writer_leaves_the_old_file(void **state)
{
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(writable); i++) {
        put_all(writable[i], 0);
        struct table_writer *w = table_writer_open(slice_text(writable[i]), true, &err);
        assert_non_null(w);
        table_writer_abandon(w);
        struct table *t = open_or_fail(writable[i], 0);
        expect_in(t, "alice", "one", writable[i]);
        table_close(t);
    }
    assert_int_equal(0, system("test -z \"$(ls | grep new)\""));
}

static void test_writers_add_replace_delete_and_walk(void **state)
{
    struct err err;
    bool existed = false;
    int pairs = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(writable); i++) {
        AUTO_BUF struct buf key = BUF_INIT(100), value = BUF_INIT(100);
        struct table_write_options o = {.flags = TABLE_WRITE_SHARED};
        put_all(writable[i], 0);
        struct table_writer *w = table_writer_open_as(slice_text(writable[i]), &o, &err);
        assert_non_null(w);
        assert_int_equal(TABLE_PUT_OK, table_writer_put(w, S("alice"), S("changed"), true, &err));
        assert_int_equal(TABLE_FOUND, table_writer_get(w, S("alice"), &value, &err));
        assert_string_equal(buf_text(&value), "changed");
        assert_true(table_writer_delete(w, S("UPPER"), &existed, &err));
        assert_true(existed);
        assert_true(table_writer_delete(w, S("UPPER"), &existed, &err));
        assert_false(existed);
        pairs = 0;
        for (bool first = true; table_writer_next(w, first, &key, &value, &err) == TABLE_FOUND; first = false)
            pairs++;
        assert_int_equal(pairs, 2);
        /* Another reader sees it while the writer stays. */
        struct table *t = open_or_fail(writable[i], 0);
        expect_in(t, "alice", "changed", writable[i]);
        table_close(t);
        assert_true(table_writer_close(w, &err));
        pairs = 0;
        assert_true(table_each(slice_text(writable[i]), count_pair, &pairs, &err));
        assert_int_equal(pairs, 2);
    }
}

static void test_a_writer_keeps_mode_of_the_old_file(void **state)
{
    struct stat st;

    (void)state;
    put_all("hash:mode", 0);
    assert_int_equal(0, stat("mode.db", &st));
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(0, chmod("mode.db", 0640));
    put_all("hash:mode", 0);
    assert_int_equal(0, stat("mode.db", &st));
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void test_warnings_of_a_text_table(void **state)
{
    (void)state;
    write_file("warned", "a 1\na 2\n\"x y\nb\n:\tc\nq\\ x v\n  cont\n");
    struct table *t = open_or_fail("texthash:warned", 0);
    AUTO_BUF struct buf text = BUF_INIT(1000);
    buf_add(&text, table_warnings(t));
    assert_string_equal(buf_text(&text),
                        "warned, line 2: duplicate entry: \"a\"\n"
                        "warned, line 3: unbalanced '\"' in '\"x y' -- ignoring this line\n"
                        "warned, line 4: expected format: key whitespace value\n"
                        "warned, line 5: record is in \"key: value\" format; is this an alias file?\n");
    expect_in(t, "q\\ x", "v  cont", "continued");
    table_close(t);
}

int main(void)
{
    static char fixtures[500];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_types_answer_alike),
        cmocka_unit_test(test_a_value_too_long_fails),
        cmocka_unit_test(test_no_folding_without_the_flag),
        cmocka_unit_test_prestate(test_files_made_by_debian, fixtures),
        cmocka_unit_test(test_what_cannot_be_opened_fails_each_look_up),
        cmocka_unit_test(test_a_name_needs_type_and_name),
        cmocka_unit_test(test_writers_build_beside_and_readers_notice),
        cmocka_unit_test(test_an_abandoned_writer_leaves_the_old_file),
        cmocka_unit_test(test_writers_add_replace_delete_and_walk),
        cmocka_unit_test(test_a_writer_keeps_mode_of_the_old_file),
        cmocka_unit_test(test_warnings_of_a_text_table),
    };

    if (getcwd(fixtures, sizeof fixtures - 20) == NULL)
        return 1;
    snprintf(fixtures + strlen(fixtures), 20, "/fixtures");
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
