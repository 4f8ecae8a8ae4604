/* Records, the size record, attributes; ids and paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/attributes.h"
#include "mail/queue/record.h"

static void records(void **state)
{
    static const struct {
        const char *name;
        slice in;
        enum record_got got;
        int type;
        slice data;
        size_t left;
    } rows[] = {
        {"attribute", S_INIT("A\x15rewrite_context=localF"), RECORD_READ, 'A', S_INIT("rewrite_context=local"), 1},
        {"empty", S_INIT("M\0"), RECORD_READ, 'M', S_INIT(""), 0},
        {"nothing", S_INIT(""), RECORD_EOF, 0, S_INIT(""), 0},
        {"type alone", S_INIT("N"), RECORD_BAD, 0, S_INIT(""), 1},
        {"data cut short", S_INIT("N\4abc"), RECORD_BAD, 0, S_INIT(""), 5},
        {"length cut short", S_INIT("N\x80"), RECORD_BAD, 0, S_INIT(""), 2},
        {"needless length byte", S_INIT("N\x81\0x"), RECORD_READ, 'N', S_INIT("x"), 0},
        {"four length bytes", S_INIT("N\x81\x80\x80\0x"), RECORD_READ, 'N', S_INIT("x"), 0},
        {"five length bytes", S_INIT("N\x81\x80\x80\x80\0x"), RECORD_BAD, 0, S_INIT(""), 7},
        {"NUL inside", S_INIT("N\3a\0b"), RECORD_READ, 'N', S_INIT("a\0b"), 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        slice rest = rows[i].in, data = S("untouched");
        int type = -7;

        print_message("  %s\n", rows[i].name);
        assert_int_equal(cut_record(&rest, &type, &data), rows[i].got);
        assert_int_equal(rest.n, rows[i].left);
        if (rows[i].got == RECORD_READ) {
            assert_int_equal(type, rows[i].type);
            assert_true(slice_eq(data, rows[i].data));
        } else {
            assert_int_equal(type, -7);
            assert_true(slice_eq(data, S("untouched")));
        }
    }
}

static void lengths_print_back(void **state)
{
    static const size_t lengths[] = {0, 1, 95, 127, 128, 2048, 16383, 16384, 2097151, 2097152};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        AUTO_BUF struct buf text = BUF_INIT(4u << 20), out = BUF_INIT(4u << 20);
        char *to = buf_reserve(&text, lengths[i] + 1);
        slice in, data;
        int type;

        memset(to, 'x', lengths[i]);
        buf_commit(&text, lengths[i]);
        assert_true(record_add(&out, RECORD_TEXT, buf_slice(&text)));
        in = buf_slice(&out);
        assert_int_equal(cut_record(&in, &type, &data), RECORD_READ);
        assert_int_equal(type, RECORD_TEXT);
        assert_int_equal(data.n, lengths[i]);
        assert_int_equal(in.n, 0);
    }
}

static void a_long_line_has_two_length_bytes(void **state)
{
    char head[RECORD_HEAD_MOST];

    (void)state;
    assert_int_equal(record_head(RECORD_LONG_TEXT, 2048, head), 3);
    assert_memory_equal(head, "L\x80\x10", 3);
}

static void full_buffer(void **state)
{
    AUTO_BUF struct buf out = BUF_INIT(5);

    (void)state;
    assert_true(record_add(&out, 'M', S("")));
    assert_false(record_addf(&out, 'T', "%d %d", 1795454304, 32301));
    assert_true(out.overflow);
    assert_int_equal(out.n, 2);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(record_type_name('>'), "redirect_to");
    assert_null(record_type_name('Q'));
    assert_null(record_type_name(0));
    assert_true(record_in_envelope('M') && !record_in_envelope('X') && !record_in_envelope(0));
    assert_true(record_in_content('w') && !record_in_content('R'));
    assert_true(record_in_extracted('E') && !record_in_extracted('S'));
}

static void sizes(void **state)
{
    static const struct {
        const char *name;
        slice in;
        bool ok;
        struct size_record r;
    } rows[] = {
        {"six fields",
         S_INIT("            273             246               1               0             270               2"),
         true,
         {273, 246, 1, 0, 270, 2}},
        {"five, as older files have", S_INIT("  371   727 3 0  0"), true, {371, 727, 3, 0, 371, 0}},
        {"three", S_INIT("1 2 3"), true, {1, 2, 3, 0, 1, 0}},
        {"options only", S_INIT("-1 -1 -1 -1 -1 33"), true, {-1, -1, -1, -1, -1, 33}},
        {"more than six", S_INIT("1 2 3 4 5 6 x"), true, {1, 2, 3, 4, 5, 6}},
        {"two", S_INIT("1 2"), false, {0}},
        {"a word", S_INIT("1 2 x"), false, {0}},
        {"empty", S_INIT(""), false, {0}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct size_record r = {.sendopts = -77};

        print_message("  %s\n", rows[i].name);
        assert_int_equal(size_record_parse(rows[i].in, &r), rows[i].ok);
        if (rows[i].ok)
            assert_memory_equal(&r, &rows[i].r, sizeof r);
        else
            assert_int_equal(r.sendopts, -77);
    }
}

static void size_prints_back(void **state)
{
    const struct size_record in = {273, 246, 1, 17, 270, 3};
    struct size_record out;
    char text[SIZE_RECORD_BYTES + 1];
    slice rest = slice_of(text, SIZE_RECORD_BYTES), data;
    int type;

    (void)state;
    size_record_print(&in, text);
    assert_memory_equal(text, "C_            273 ", 18);
    assert_int_equal(cut_record(&rest, &type, &data), RECORD_READ);
    assert_int_equal(rest.n, 0);
    assert_int_equal(data.n, 95);
    assert_true(size_record_parse(data, &out));
    assert_memory_equal(&in, &out, sizeof in);
}

static void attributes(void **state)
{
    static const struct {
        const char *in, *name, *value;
    } rows[] = {
        {"a=b", "a", "b"}, {" a = b c ", "a", "b c"}, {"a=b=c", "a", "b=c"}, {"a=", "a", ""},
        {"a", NULL, NULL}, {"=b", NULL, NULL},        {" =b", NULL, NULL},   {"", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        slice name = S("-"), value = S("-");

        assert_int_equal(attribute_parse(slice_text(rows[i].in), &name, &value), rows[i].name != NULL);
        assert_true(slice_eq(name, slice_text(rows[i].name != NULL ? rows[i].name : "-")));
        assert_true(slice_eq(value, slice_text(rows[i].name != NULL ? rows[i].value : "-")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),     cmocka_unit_test(lengths_print_back),
        cmocka_unit_test(full_buffer), cmocka_unit_test(a_long_line_has_two_length_bytes),
        cmocka_unit_test(names),       cmocka_unit_test(sizes),
        cmocka_unit_test(attributes),  cmocka_unit_test(size_prints_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
