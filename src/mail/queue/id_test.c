/* Queue ids of both forms, and where their files lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/attributes.h"
#include "core/base/clock.h"
#include "mail/queue/id.h"

static void validity(void **state)
{
    char most[QUEUE_ID_MOST + 2];

    (void)state;
    assert_true(queue_id_valid(S("2CEE3A841A3")));
    assert_true(queue_id_valid(S("dead_test")));
    assert_false(queue_id_valid(S("")));
    assert_false(queue_id_valid(S("a/b")));
    assert_false(queue_id_valid(S("a.b")));
    assert_false(queue_id_valid(S("a\0b")));
    memset(most, 'A', sizeof most);
    assert_true(queue_id_valid(slice_of(most, QUEUE_ID_MOST)));
    assert_false(queue_id_valid(slice_of(most, QUEUE_ID_MOST + 1)));
}

static void parsing(void **state)
{
    static const struct {
        const char *id;
        bool ok, is_long;
        int64_t us;
        uint64_t inode;
    } rows[] = {
        {"2CEE3A841A3", true, false, 0x2CEE3, 0xA841A3},
        {"000010", true, false, 1, 0},
        {"4jYCQx2ZpLz1c6T8", true, true, SECONDS(1795454489) + 364538, 11026922},
        {"2CEE3", false, false, 0, 0},
        {"2cee3a841a3", false, false, 0, 0},
        {"FFFFF1", false, false, 0, 0}, /* over a million microseconds */
        {"4jYCQx2ZpLz", false, true, 0, 0},
        {"4jYCQA2ZpLz1", false, true, 0, 0}, /* no vowels there */
        {"", false, false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t us = -1;
        uint64_t inode = 99;
        slice id = slice_text(rows[i].id);

        print_message("  %s\n", rows[i].id);
        assert_int_equal(queue_id_is_long(id), rows[i].is_long);
        assert_int_equal(queue_id_parse(id, &us, &inode), rows[i].ok);
        assert_int_equal(us, rows[i].ok ? rows[i].us : -1);
        assert_int_equal(inode, rows[i].ok ? rows[i].inode : 99);
    }
}

static void print_parses_back(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        int64_t us = SECONDS(1700000000) + (int64_t)i * 982451653, got_us;
        uint64_t inode = (uint64_t)i * 2654435761u, got_inode;
        char id[QUEUE_ID_MOST + 1];

        queue_id_print(true, us, inode, id);
        assert_true(queue_id_valid(slice_text(id)) && queue_id_is_long(slice_text(id)));
        assert_true(queue_id_parse(slice_text(id), &got_us, &got_inode));
        assert_int_equal(got_us, us);
        assert_int_equal(got_inode, inode);
        queue_id_print(false, us, inode, id);
        assert_false(queue_id_is_long(slice_text(id)));
        assert_true(queue_id_parse(slice_text(id), &got_us, &got_inode));
        assert_int_equal(got_us, us % SECONDS(1));
        assert_int_equal(got_inode, inode);
    }
}

static void paths(void **state)
{
    static const struct queue_layout usual = {S_INIT("deferred, defer"), 1}, deep = {S_INIT("deferred defer"), 7},
                                     flat = {S_INIT("deferred"), 0};
    static const struct {
        const struct queue_layout *l;
        slice queue;
        const char *id, *path;
    } rows[] = {
        {&usual, S_INIT("deferred"), "2CEE3A841A3", "deferred/2/2CEE3A841A3"},
        {&usual, S_INIT("defer"), "2CEE3A841A3", "defer/2/2CEE3A841A3"},
        {&usual, S_INIT("active"), "2CEE3A841A3", "active/2CEE3A841A3"},
        {&usual, S_INIT("deferred"), "4jYCQx2ZpLz1c6T8", "deferred/5/4jYCQx2ZpLz1c6T8"},
        {&deep, S_INIT("deferred"), "4jYCQx2ZpLz1c6T8", "deferred/5/8/F/F/A/_/_/4jYCQx2ZpLz1c6T8"},
        {&deep, S_INIT("deferred"), "ab", "deferred/a/b/_/_/_/_/_/ab"},
        {&flat, S_INIT("deferred"), "2CEE3A841A3", "deferred/2CEE3A841A3"},
        {&usual, S_INIT("deferred"), "../x", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char path[QUEUE_PATH_MOST] = "untouched";

        assert_int_equal(queue_path(rows[i].l, rows[i].queue, slice_text(rows[i].id), path), rows[i].path != NULL);
        assert_string_equal(path, rows[i].path != NULL ? rows[i].path : "untouched");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(validity), cmocka_unit_test(parsing),
                                       cmocka_unit_test(print_parses_back), cmocka_unit_test(paths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
