#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/cut.h"
#include "mail/content/downgrade.h"

#define PART "--b\nContent-Transfer-Encoding: 8bit\n\n"

static const struct row {
    const char *name, *in, *out;
} rows[] = {
    {"nothing announced", "A: b\n\n\xc3\xb6=\n", "A: b\n\n\xc3\xb6=\n"},
    {"one part", "Content-Transfer-Encoding: 8bit\nA: b\n\n\xc3\xb6=\n",
     "A: b\nContent-Transfer-Encoding: quoted-printable\n\n=C3=B6=3D\n"},
    {"binary", "Content-Transfer-Encoding: BINARY\n\n\x01\n", "Content-Transfer-Encoding: quoted-printable\n\n=01\n"},
    {"another encoding stays", "Content-Transfer-Encoding: base64\nA: b\n\nYQ==\n",
     "Content-Transfer-Encoding: base64\nA: b\n\nYQ==\n"},
    {"folded", "Content-Transfer-Encoding:\n\t8bit\n\n=\n", "Content-Transfer-Encoding: quoted-printable\n\n=3D\n"},
    {"blanks at the end", "Content-Transfer-Encoding: 8bit\n\na \n\t\n",
     "Content-Transfer-Encoding: quoted-printable\n\na=20\n=09\n"},
    {"the last line does not end", "Content-Transfer-Encoding: 8bit\n\na ",
     "Content-Transfer-Encoding: quoted-printable\n\na=20\n"},
    {"a header only", "Content-Transfer-Encoding: 8bit\n", "Content-Transfer-Encoding: quoted-printable\n"},
    {"no empty line", "Content-Transfer-Encoding: 8bit\nno header=\n",
     "Content-Transfer-Encoding: quoted-printable\nno header=3D\n"},
    {"parts",
     "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\npre=\n" PART "=\n--b--\nend=\n",
     "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\npre=\n--b\n"
     "Content-Transfer-Encoding: quoted-printable\n\n=3D\n--b--\nend=\n"},
    {"a boundary in a header",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: 8bit\n--b\n\n=\n",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: quoted-printable\n--b\n\n=\n"},
    {"a message",
     "Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nA: b\nContent-Transfer-Encoding: 8bit\n\n=\n",
     "Content-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nA: b\nContent-Transfer-Encoding: "
     "quoted-printable\n\n=3D\n"},
    {"a message in parts is a leaf", "Content-Type: message/partial\nContent-Transfer-Encoding: 8bit\n\n=\n",
     "Content-Type: message/partial\nContent-Transfer-Encoding: quoted-printable\n\n=3D\n"},
};

static bool keep(void *arg, slice text, bool ends_line, struct err *err)
{
    struct buf *out = arg;

    (void)err;
    return buf_add(out, text) && (!ends_line || buf_add_char(out, '\n'));
}

/* Feeds IN in pieces of at most PIECE bytes. */
static void convert(slice in, size_t piece, size_t header_most, struct buf *out)
{
    AUTO_DOWNGRADE struct downgrade d;
    struct err err;

    downgrade_init(&d, header_most, 70, 20);
    d.put = keep;
    d.arg = out;
    while (in.n > 0) {
        size_t end = slice_find(in, '\n');
        bool ends = end != SLICE_NONE && end <= piece;
        slice text = slice_head(in, ends ? end : piece);

        assert_true(downgrade_text(&d, text, ends, &err));
        in = slice_skip(in, text.n + ends);
    }
    assert_true(downgrade_end(&d, &err));
}

static void converts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf out = BUF_INIT(10000);

        convert(slice_text(rows[i].in), 1000, 10000, &out);
        if (!slice_eq(buf_slice(&out), slice_text(rows[i].out)))
            fail_msg("%s:\n%s", rows[i].name, buf_text(&out));
    }
}

/* A body in any pieces is the same body; boundaries and header names stand in one piece. */
static void pieces_do_not_matter(void **state)
{
    slice head = S("Content-Transfer-Encoding: 8bit\n\n"), body = S("a  b\t\n\xc3\xb6 =\n \n");

    (void)state;
    for (size_t piece = head.n; piece > 0; piece--) {
        AUTO_BUF struct buf out = BUF_INIT(10000);
        AUTO_DOWNGRADE struct downgrade d;
        struct err err;

        downgrade_init(&d, 10000, 70, 20);
        d.put = keep;
        d.arg = &out;
        assert_true(downgrade_text(&d, slice_head(head, head.n - 2), true, &err));
        assert_true(downgrade_text(&d, S(""), true, &err));
        for (slice in = body; in.n > 0;) {
            size_t end = slice_find(in, '\n');
            slice text = slice_head(in, end < piece ? end : piece);
            bool ends = text.n == end;

            assert_true(downgrade_text(&d, text, ends, &err));
            in = slice_skip(in, text.n + ends);
        }
        assert_true(downgrade_end(&d, &err));
        assert_string_equal(buf_text(&out),
                            "Content-Transfer-Encoding: quoted-printable\n\na  b=09\n=C3=B6 =3D\n=20\n");
    }
}

static void lines_are_short(void **state)
{
    AUTO_BUF struct buf in = BUF_INIT(10000), out = BUF_INIT(20000);
    slice rest, line;

    (void)state;
    assert_true(buf_add(&in, S("Content-Transfer-Encoding: 8bit\n\n")));
    for (int i = 0; i < 1000; i++)
        assert_true(buf_add_char(&in, i % 7 < 3 ? 'x' : '\xf6'));
    convert(buf_slice(&in), 100, 10000, &out);
    rest = buf_slice(&out);
    while (cut_field(&rest, '\n', &line))
        assert_true(line.n <= 76);
}

/* More header than can be held goes out as it came, all of it. */
static void long_headers_survive(void **state)
{
    AUTO_BUF struct buf in = BUF_INIT(10000), out = BUF_INIT(20000);

    (void)state;
    assert_true(buf_add(&in, S("Subject: ")));
    for (int i = 0; i < 300; i++)
        assert_true(buf_addf(&in, "%d\n ", i));
    assert_true(buf_add(&in, S("end\nA: b\n\nbody\n")));
    convert(buf_slice(&in), 50, 100, &out);
    assert_true(slice_eq(buf_slice(&in), buf_slice(&out)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converts),
        cmocka_unit_test(pieces_do_not_matter),
        cmocka_unit_test(lines_are_short),
        cmocka_unit_test(long_headers_survive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
