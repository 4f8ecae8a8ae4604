#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io/stream.h"
#include "core/run/page.h"

static void run(task_fn *fn)
{
    struct err err;

    if (!loop_run(fn, NULL, &err))
        fail_msg("loop_run: %s", err.text);
}

/* Borrowed buffers are malloc's there. */
static void skip_under_asan(void)
{
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(UNDER_ASAN)
    skip();
#endif
}

static deadline soon(void)
{
    return deadline_in(SECONDS(10));
}

/* ---- lines, from memory and byte by byte through a socket ---- */

static const char *got_name(int got)
{
    static const char *const names[] = {"failed", "eof", "line", "bare", "long", "piece"};

    return names[got];
}

/* What reading INPUT gives, as "line:abc|bare:def|eof". */
struct row {
    const char *name;
    slice input;
    size_t max;
    const char *as_lines, *as_text;
};

#define SAME(text) text, text

static const struct row rows[] = {
    {"nothing", S_INIT(""), 10, SAME("eof")},
    {"crlf", S_INIT("ab\r\ncd\r\n"), 10, SAME("line:ab|line:cd|eof")},
    {"bare lf", S_INIT("ab\ncd\r\n"), 10, SAME("bare:ab|line:cd|eof")},
    {"empty lines", S_INIT("\r\n\n"), 10, SAME("line:|bare:|eof")},
    {"cr inside", S_INIT("a\rb\r\n"), 10, SAME("line:a\rb|eof")},
    {"two crs", S_INIT("a\r\r\n"), 10, SAME("line:a\r|eof")},
    {"exactly max", S_INIT("abcd\r\nx\n"), 4, SAME("line:abcd|bare:x|eof")},
    {"exactly max, bare", S_INIT("abcd\nx\n"), 4, SAME("bare:abcd|bare:x|eof")},
    {"one more", S_INIT("abcde\r\nx\n"), 4, "long:|bare:x|eof", "piece:abcd|line:e|bare:x|eof"},
    {"one more, bare", S_INIT("abcde\nx\n"), 4, "long:|bare:x|eof", "piece:abcd|bare:e|bare:x|eof"},
    {"cr at max", S_INIT("abcd\re\r\n"), 4, "long:|eof", "piece:abcd|line:\re|eof"},
    {"cr before max", S_INIT("abc\rd\r\n"), 4, "long:|eof", "piece:abc\r|line:d|eof"},
    {"cr cr lf at max", S_INIT("abcd\r\r\n"), 4, "long:|eof", "piece:abcd|line:\r|eof"},
    {"three pieces", S_INIT("abcdabcdab\r\n"), 4, "long:|eof", "piece:abcd|piece:abcd|line:ab|eof"},
    {"eight is two", S_INIT("abcdefgh\r\n"), 4, "long:|eof", "piece:abcd|line:efgh|eof"},
    {"no end", S_INIT("ab"), 10, SAME("failed:peer")},
    {"no end, cr", S_INIT("abcd\r"), 4, SAME("failed:peer")},
    {"long, no end", S_INIT("abcdef"), 4, "failed:peer", "piece:abcd|failed:peer"},
    {"nul is data", S_INIT("a\0b\r\n"), 10, SAME("line:a\0b|eof")},
};

static void read_all(struct stream *s, const struct row *row, bool as_text, struct buf *out)
{
    for (;;) {
        struct err err;
        slice line = S("poison");
        int got = as_text ? (int)stream_read_text(s, row->max, soon(), &line, &err)
                          : (int)stream_read_line(s, row->max, soon(), &line, &err);

        (void)buf_add_text(out, got_name(got));
        if (got == STREAM_EOF)
            return;
        (void)buf_add_char(out, ':');
        if (got == STREAM_FAILED) {
            assert_int_equal(err.kind, ERR_PEER);
            (void)buf_add_text(out, "peer");
            return;
        }
        (void)buf_add(out, line);
        (void)buf_add_char(out, '|');
    }
}

static void check_row(struct stream *s, const struct row *row, bool as_text)
{
    AUTO_BUF struct buf out = BUF_INIT(1000);

    read_all(s, row, as_text, &out);
    if (strcmp(buf_text(&out), as_text ? row->as_text : row->as_lines) != 0)
        fail_msg("%s: %s", row->name, buf_text(&out));
}

static void lines_from_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        AUTO_STREAM struct stream *s = stream_from_bytes(rows[i / 2].input);

        check_row(s, &rows[i / 2], i % 2 == 1);
    }
}

struct dripping {
    struct stream *to;
    slice bytes;
};

static void drip(void *arg)
{
    struct dripping *d = arg;
    struct err err;

    for (size_t i = 0; i < d->bytes.n; i++) {
        assert_true(stream_write(d->to, (slice){d->bytes.p + i, 1}, soon(), &err));
        assert_true(stream_flush(d->to, soon(), &err));
        assert_true(task_yield(&err));
    }
    stream_close(d->to);
}

static void make_pair(struct stream *s[2])
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    s[0] = stream_open(fds[0]);
    s[1] = stream_open(fds[1]);
}

static void dripped_main(void *arg)
{
    struct task_group g;
    struct err err;

    (void)arg;
    group_init(&g);
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        struct stream *pair[2];
        struct dripping d;

        make_pair(pair);
        d = (struct dripping){pair[1], rows[i / 2].input};
        assert_true(group_spawn(&g, "drip", drip, &d, &err));
        check_row(pair[0], &rows[i / 2], i % 2 == 1);
        assert_true(group_wait(&g, soon(), &err));
        stream_close(pair[0]);
    }
}

static void lines_byte_by_byte(void **state)
{
    (void)state;
    run(dripped_main);
}

/* ---- exact counts, NUL, single bytes ---- */

static void pieces_main(void *arg)
{
    AUTO_STREAM struct stream *s = stream_from_bytes(S("abc\0defgh"));
    AUTO_BUF struct buf text = BUF_INIT(100);
    AUTO_BUF struct buf small = BUF_INIT(1);
    struct err err;
    char c, four[4];
    slice some;

    (void)arg;
    assert_true(stream_peek_byte(s, &c, NEVER, &err));
    assert_int_equal(c, 'a');
    assert_true(stream_read_byte(s, &c, NEVER, &err));
    assert_true(stream_read_until_nul(s, &text, NEVER, &err));
    assert_string_equal(buf_text(&text), "bc");
    assert_int_equal(stream_buffered(s), 5);
    assert_true(stream_read_exact(s, four, 4, NEVER, &err));
    assert_memory_equal(four, "defg", 4);
    assert_int_equal(stream_read_some(s, 10, NEVER, &some, &err), STREAM_LINE);
    assert_true(slice_eq(some, S("h")));
    assert_int_equal(stream_read_some(s, 10, NEVER, &some, &err), STREAM_EOF);
    assert_false(stream_read_byte(s, &c, NEVER, &err));
    assert_int_equal(err.kind, ERR_PEER);
    assert_false(stream_read_exact(s, four, 1, NEVER, &err));
    assert_int_equal(err.kind, ERR_PEER);
    AUTO_STREAM struct stream *t = stream_from_bytes(S("abc\0"));
    assert_false(stream_read_until_nul(t, &small, NEVER, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
}

static void exact_counts(void **state)
{
    (void)state;
    pieces_main(NULL);
}

/* What came of a line that was cut off can still be had. */
static void tail_after_failure(void **state)
{
    AUTO_STREAM struct stream *s = stream_from_bytes(S("ab\nrest"));
    struct err err;
    slice line;

    (void)state;
    assert_int_equal(stream_read_text(s, 100, NEVER, &line, &err), STREAM_BARE_LF);
    assert_int_equal(stream_read_text(s, 100, NEVER, &line, &err), STREAM_FAILED);
    assert_int_equal(stream_read_some(s, 100, NEVER, &line, &err), STREAM_LINE);
    assert_true(slice_eq(line, S("rest")));
}

/* ---- waiting, flushing ---- */

static void talk_main(void *arg)
{
    struct stream *pair[2];
    struct err err;
    slice line;
    bool closed = false;
    char raw[10];

    (void)arg;
    make_pair(pair);
    assert_true(stream_write(pair[0], S("one\r\n"), soon(), &err));
    assert_int_equal(stream_pending(pair[0]), 5);
    assert_int_equal(recv(stream_fd(pair[1]), raw, sizeof raw, MSG_DONTWAIT), -1);
    /* A read that has to wait flushes. */
    assert_int_equal(stream_read_line(pair[0], 10, deadline_in(MILLIS(2)), &line, &err), STREAM_FAILED);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_int_equal(stream_pending(pair[0]), 0);
    assert_int_equal(stream_read_line(pair[1], 10, soon(), &line, &err), STREAM_LINE);
    stream_set_autoflush(pair[0], false);
    assert_true(stream_printf(pair[0], soon(), &err, "%0600d\r\n", 7));
    assert_int_equal(stream_read_line(pair[0], 10, deadline_in(MILLIS(2)), &line, &err), STREAM_FAILED);
    assert_int_equal(stream_pending(pair[0]), 602);
    assert_true(stream_flush(pair[0], soon(), &err));
    assert_true(stream_wait_peer(pair[1], soon(), &closed, &err));
    assert_false(closed);
    stream_drop_input(pair[1]);
    assert_false(stream_wait_peer(pair[1], deadline_in(MILLIS(2)), &closed, &err));
    stream_close(pair[0]);
    assert_true(stream_wait_peer(pair[1], soon(), &closed, &err));
    assert_true(closed);
    stream_close(pair[1]);
}

static void flushing(void **state)
{
    (void)state;
    run(talk_main);
}

static void half_a_line_then_timeout_main(void *arg)
{
    struct stream *pair[2];
    struct err err;
    slice line;

    (void)arg;
    make_pair(pair);
    assert_true(stream_write(pair[0], S("half"), soon(), &err) && stream_flush(pair[0], soon(), &err));
    assert_int_equal(stream_read_line(pair[1], 100, deadline_in(MILLIS(2)), &line, &err), STREAM_FAILED);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_true(stream_write(pair[0], S(" whole\r\n"), soon(), &err) && stream_flush(pair[0], soon(), &err));
    assert_int_equal(stream_read_line(pair[1], 100, soon(), &line, &err), STREAM_LINE);
    assert_true(slice_eq(line, S("half whole")));
    stream_close(pair[0]);
    stream_close(pair[1]);
}

static void reading_goes_on_after_a_timeout(void **state)
{
    (void)state;
    run(half_a_line_then_timeout_main);
}

/* "What is there" includes what the loop has not seen yet. */
static void at_once_main(void *arg)
{
    struct stream *pair[2];
    struct err err;
    slice line;

    (void)arg;
    make_pair(pair);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stream_read_line(pair[1], 100, AT_ONCE, &line, &err), STREAM_FAILED);
        assert_int_equal(err.kind, ERR_TIMEOUT);
        assert_true(stream_write(pair[0], S("x\r\n"), soon(), &err) && stream_flush(pair[0], soon(), &err));
        assert_int_equal(stream_read_line(pair[1], 100, AT_ONCE, &line, &err), STREAM_LINE);
    }
    stream_close(pair[0]);
    stream_close(pair[1]);
}

static void at_once_takes_what_is_there(void **state)
{
    (void)state;
    run(at_once_main);
}

/* ---- much data through a small pipe; fairness ---- */

enum { MUCH = 1000 * 1000 };

static void write_much(void *arg)
{
    struct stream *s = arg;
    struct err err;

    for (int i = 0; i < MUCH / 10; i++)
        assert_true(stream_printf(s, soon(), &err, "%08d\r\n", i));
    assert_true(stream_flush(s, soon(), &err));
    stream_close(s);
}

/* *BULK: in large pieces. */
static void much_main(void *bulk)
{
    struct task_group g;
    struct err err;
    int fds[2], n = 0;
    slice line;

    group_init(&g);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    AUTO_STREAM struct stream *in = stream_open(fds[0]);
    stream_set_bulk(in, bulk != NULL);
    assert_true(group_spawn(&g, "writer", write_much, stream_open(fds[1]), &err));
    while (stream_read_line(in, 100, soon(), &line, &err) == STREAM_LINE) {
        char expected[16];

        (void)snprintf(expected, sizeof expected, "%08d", n++);
        assert_true(slice_eq(line, slice_text(expected)));
    }
    assert_int_equal(n, MUCH / 10);
    assert_true(group_wait(&g, soon(), &err));
}

static void much_in_bulk(void *arg)
{
    (void)arg;
    much_main(&(bool){true});
}

static void much_through_a_pipe(void **state)
{
    (void)state;
    run(much_main);
    run(much_in_bulk);
}

static bool read_until(struct stream *s, size_t bytes, deadline by)
{
    char text[100];
    struct err err;

    return stream_read_exact(s, text, bytes, by, &err);
}

/* All that is there comes with one read, and the large buffer is there for others as soon as nothing more does. */
static void bulk_main(void *arg)
{
    struct stream *pair[2];
    char much[10000] = "";
    size_t room;
    struct err err;
    void *lent;

    (void)arg;
    bulk_give(lent = bulk_take());
    make_pair(pair);
    stream_set_bulk(pair[0], true);
    memset(stream_room(pair[1], sizeof much, &room), 'x', sizeof much);
    assert_true(room >= sizeof much);
    stream_filled(pair[1], sizeof much);
    assert_true(stream_flush(pair[1], soon(), &err));
    assert_true(read_until(pair[0], 10, soon()));
    assert_int_equal(stream_buffered(pair[0]), sizeof much - 10);
    stream_skip(pair[0], sizeof much - 20);
    assert_int_equal(stream_ahead(pair[0]).n, 10);
    assert_false(read_until(pair[0], 20, deadline_in(MILLIS(2))));
    assert_ptr_equal(bulk_take(), lent);
    bulk_give(lent);
    assert_true(stream_write(pair[1], S("0123456789"), soon(), &err) && stream_flush(pair[1], soon(), &err));
    assert_true(read_until(pair[0], 10, soon()));
    stream_close(pair[0]);
    stream_close(pair[1]);
}

static void large_buffers_are_lent(void **state)
{
    (void)state;
    skip_under_asan();
    run(bulk_main);
}

static void counts(void *arg)
{
    struct err err;

    while (task_yield(&err))
        ++*(int *)arg;
}

static void fair_main(void *arg)
{
    struct task_group g;
    struct err err;
    int turns = 0;
    slice some;
    size_t got = 0;

    (void)arg;
    group_init(&g);
    assert_true(group_spawn(&g, "counter", counts, &turns, &err));
    AUTO_STREAM struct stream *zero = stream_open(open("/dev/zero", O_RDONLY | O_CLOEXEC));
    while (got < 20 * 64 * 1024) {
        assert_int_equal(stream_read_some(zero, SIZE_MAX, soon(), &some, &err), STREAM_LINE);
        got += some.n;
    }
    assert_in_range(turns, 15, 25);
    while (stream_read_some(zero, SIZE_MAX, deadline_in(MILLIS(-1)), &some, &err) == STREAM_LINE)
        ;
    assert_int_equal(err.kind, ERR_TIMEOUT); /* though it never had to wait */
    group_cancel(&g);
    assert_true(group_wait(&g, soon(), &err));
}

static void endless_input_is_fair(void **state)
{
    (void)state;
    run(fair_main);
}

/* ---- errors ---- */

static void broken_main(void *arg)
{
    struct stream *pair[2];
    struct err err;

    (void)arg;
    make_pair(pair);
    stream_close(pair[1]);
    assert_true(stream_write(pair[0], S("x"), soon(), &err));
    assert_false(stream_flush(pair[0], soon(), &err));
    assert_int_equal(err.kind, ERR_SYS);
    assert_int_equal(err.sys, EPIPE);
    err_clear(&err);
    assert_false(stream_write(pair[0], S("y"), soon(), &err));
    assert_int_equal(err.sys, EPIPE);
    assert_int_equal(stream_pending(pair[0]), 0);
    stream_close(pair[0]);
    stream_close(NULL);
}

static void a_broken_pipe_is_an_error(void **state)
{
    (void)state;
    run(broken_main);
}

static void blocked_main(void *arg)
{
    struct stream *pair[2];
    struct err err;

    (void)arg;
    make_pair(pair);
    for (int i = 0;; i++) {
        assert_true(i < 100000);
        if (!stream_printf(pair[0], deadline_in(MILLIS(5)), &err, "%01000d", i))
            break;
    }
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_false(stream_flush(pair[0], soon(), &err));
    assert_int_equal(err.kind, ERR_TIMEOUT); /* sticky */
    stream_close(pair[0]);
    stream_close(pair[1]);
}

static void a_peer_that_does_not_read(void **state)
{
    (void)state;
    run(blocked_main);
}

/* ---- giving buffers back ---- */

/* The page that was given back last is taken first: so the reader's buffer can be told. */
static void idle_main(void *arg)
{
    struct stream *pair[2];
    struct err err;
    slice line;
    void *page;

    (void)arg;
    make_pair(pair);
    assert_true(stream_write(pair[1], S("a\r\n"), soon(), &err) && stream_flush(pair[1], soon(), &err));
    page = page_take();
    page_give(page);
    assert_int_equal(stream_read_line(pair[0], 100, soon(), &line, &err), STREAM_LINE);
    assert_ptr_equal(line.p, page);
    assert_int_equal(stream_read_line(pair[0], 100, deadline_in(MILLIS(1500)), &line, &err), STREAM_FAILED);
    assert_ptr_equal(page_take(), page);
    assert_true(stream_write(pair[1], S("b\r\n"), soon(), &err) && stream_flush(pair[1], soon(), &err));
    assert_int_equal(stream_read_line(pair[0], 100, soon(), &line, &err), STREAM_LINE);
    assert_true(slice_eq(line, S("b")));
    page_give(page);
    stream_close(pair[0]);
    stream_close(pair[1]);
}

static void idle_streams_give_buffers_back(void **state)
{
    (void)state;
    skip_under_asan();
    run(idle_main);
}

static void detach_main(void *arg)
{
    struct stream *pair[2];
    struct err err;
    slice line;
    int fd;

    (void)arg;
    make_pair(pair);
    assert_int_equal(stream_read_line(pair[0], 10, deadline_in(MILLIS(2)), &line, &err), STREAM_FAILED);
    fd = stream_detach(pair[0]);
    pair[0] = stream_open(fd);
    assert_true(stream_write(pair[1], S("a\r\n"), soon(), &err) && stream_flush(pair[1], soon(), &err));
    assert_int_equal(stream_read_line(pair[0], 10, soon(), &line, &err), STREAM_LINE);
    stream_set_name(pair[0], "private/test socket");
    assert_string_equal(stream_name(pair[0]), "private/test socket");
    stream_close(pair[0]);
    stream_close(pair[1]);
}

static void detaching(void **state)
{
    (void)state;
    run(detach_main);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_from_memory),
        cmocka_unit_test(lines_byte_by_byte),
        cmocka_unit_test(exact_counts),
        cmocka_unit_test(tail_after_failure),
        cmocka_unit_test(flushing),
        cmocka_unit_test(reading_goes_on_after_a_timeout),
        cmocka_unit_test(at_once_takes_what_is_there),
        cmocka_unit_test(much_through_a_pipe),
        cmocka_unit_test(endless_input_is_fair),
        cmocka_unit_test(a_broken_pipe_is_an_error),
        cmocka_unit_test(a_peer_that_does_not_read),
        cmocka_unit_test(large_buffers_are_lent),
        cmocka_unit_test(idle_streams_give_buffers_back),
        cmocka_unit_test(detaching),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
