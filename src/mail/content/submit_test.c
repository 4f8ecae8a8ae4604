#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/socket.h>

#include "mail/content/submit.h"

/* Which lines go as they are, of at most 10 bytes, and what they become. */
static const struct row {
    const char *name;
    slice text, records;
    size_t taken;
} rows[] = {
    {"lines", S_INIT("abc\r\n\r\nd\r\n"), S_INIT("N\3abcN\0N\1d"), 10},
    {"nothing", S_INIT(""), S_INIT(""), 0},
    {"not whole", S_INIT("abc\r\nd\r"), S_INIT("N\3abc"), 5},
    {"LF alone", S_INIT("abc\r\nd\ne\r\n"), S_INIT("N\3abc"), 5},
    {"LF and nothing else", S_INIT("abc\r\n\ne\r\n"), S_INIT("N\3abc"), 5},
    {"two CRs", S_INIT("abc\r\nd\r\r\n"), S_INIT("N\3abc"), 5},
    {"CR within", S_INIT("a\rc\r\n"), S_INIT("N\3a\rc"), 5},
    {"end of data", S_INIT("abc\r\n.\r\n"), S_INIT("N\3abc"), 5},
    {"dot in front", S_INIT("abc\r\n..d\r\n"), S_INIT("N\3abc"), 5},
    {"longest", S_INIT("0123456789\r\nd\r\n"), S_INIT("N\n0123456789N\1d"), 15},
    {"too long", S_INIT("d\r\n0123456789a\r\n"), S_INIT("N\1d"), 3},
};

static void plain_lines_main(void *arg)
{
    int fds[2];
    struct err err;

    (void)arg;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct submission s = {.stream = stream_open(fds[0])};
    AUTO_STREAM struct stream *cleanup = stream_open(fds[1]);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        slice records = S("");

        if (submit_plain_lines(&s, rows[i].text, 10) != rows[i].taken)
            fail_msg("%s: other lines", rows[i].name);
        assert_true(stream_flush(s.stream, NEVER, &err));
        if (rows[i].records.n > 0)
            assert_int_equal(stream_read_some(cleanup, 100, NEVER, &records, &err), STREAM_LINE);
        if (!slice_eq(records, rows[i].records))
            fail_msg("%s: other records", rows[i].name);
    }
    s.broken = true;
    assert_int_equal(submit_plain_lines(&s, rows[0].text, 10), 0);
    submit_cancel(&s);
}

static void plain_lines(void **state)
{
    struct err err;

    (void)state;
    assert_true(loop_run(plain_lines_main, NULL, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain_lines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
