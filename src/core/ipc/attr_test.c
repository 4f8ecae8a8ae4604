#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/socket.h>

#include "core/ipc/message.h"

#define COMMON_FIELDS(F) F(text, sender)
#define SAMPLE_FIELDS(F)                                                                                               \
    F(number, flags)                                                                                                   \
    COMMON_FIELDS(F)                                                                                                   \
    F(long, size)                                                                                                      \
    F(data, blob, "binary")
IPC_MESSAGE(sample, SAMPLE_FIELDS)

#define NO_BLOB_FIELDS(F) F(number, flags) COMMON_FIELDS(F) F(long, size)
IPC_MESSAGE(no_blob, NO_BLOB_FIELDS)

static const struct sample full = {-1, S_INIT("a@b"), 5000000000, S_INIT("\0\1\2\n")};

static const char wire0[] = "flags\0004294967295\0sender\0a@b\0size\0005000000000\0binary\0AAECCg==\0";
static const char wire_plain[] = "flags=4294967295\nsender=a@b\nsize=5000000000\nbinary=AAECCg==\n\n";

static void assert_slice(slice got, slice expected)
{
    assert_int_equal(got.n, expected.n);
    assert_memory_equal(got.p, expected.p, expected.n);
}

static void assert_full(const struct sample *got)
{
    assert_int_equal(got->flags, full.flags);
    assert_slice(got->sender, full.sender);
    assert_int_equal(got->size, full.size);
    assert_slice(got->blob, full.blob);
}

static void encodings(void **state)
{
    AUTO_BUF struct buf out = BUF_INIT(1000);

    (void)state;
    assert_true(ipc_encode(IPC_ATTR0, &sample_shape, &full, &out));
    assert_slice(buf_slice(&out), slice_of(wire0, sizeof wire0));
    buf_clear(&out);
    assert_true(ipc_encode(IPC_PLAIN, &sample_shape, &full, &out));
    assert_slice(buf_slice(&out), slice_text(wire_plain));
}

/* Two lists, then the end. */
static void there_and_back(void **state)
{
    (void)state;
    for (int e = IPC_ATTR0; e <= IPC_PLAIN; e++) {
        AUTO_BUF struct buf out = BUF_INIT(1000);
        AUTO_ARENA struct arena arena = ARENA_INIT(1000);
        struct sample got;
        struct err err;

        assert_true(ipc_encode(e, &sample_shape, &full, &out) && ipc_encode(e, &sample_shape, &full, &out));
        AUTO_STREAM struct stream *s = stream_from_bytes(buf_slice(&out));
        for (int i = 0; i < 2; i++) {
            assert_int_equal(ipc_read_as(e, s, &sample_shape, &arena, NEVER, &got, &err), IPC_MESSAGE_READ);
            assert_full(&got);
        }
        assert_int_equal(ipc_read_as(e, s, &sample_shape, &arena, NEVER, &got, &err), IPC_END);
    }
}

/* After a list that is not of the shape, the next one can be read. */
static void skips(void **state)
{
    static const struct {
        slice input;
        bool good;
        const char *text;
    } rows[] = {
        {S_INIT("flags\0001\0sender\0a\0size\0002\0\0"), true, NULL},
        {S_INIT("flags\0001\0\0"), false, "missing attribute sender in input from x socket"},
        {S_INIT("\0"), false, "missing attribute flags in input from x socket"},
        {S_INIT("flags\0001\0size\0002\0sender\0a\0\0"), false, "unexpected attribute size from x socket (expecting: sender)"},
        {S_INIT("flags\0x\0sender\0a\0size\0002\0\0"), false, "malformed numerical data from x socket while reading input attribute value: x"},
        {S_INIT("flags\0001\0sender\0a\0size\0002\0more\0x\0\0"), false, "unexpected attribute more from x socket (expecting: list terminator)"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena = ARENA_INIT(1000);
        AUTO_BUF struct buf input = BUF_INIT(1000);
        struct no_blob got;
        struct err err;
        bool good = !rows[i].good;
        slice next;

        assert_true(buf_add(&input, rows[i].input) && buf_add(&input, slice_of("a\0b\0\0name\0value\0", 16)));
        AUTO_STREAM struct stream *s = stream_from_bytes(buf_slice(&input));
        stream_set_name(s, "x socket");
        assert_true(ipc_read_rest_or_skip(s, &no_blob_shape, &arena, NEVER, &got, &good, &err));
        assert_int_equal(good, rows[i].good);
        if (!good)
            assert_string_equal(err.text, rows[i].text);
        assert_true(ipc_skip_rest(s, &arena, NEVER, &err));
        assert_int_equal(ipc_read_first(s, "name", &arena, NEVER, &next, &err), IPC_MESSAGE_READ);
        assert_slice(next, S("value"));
        assert_false(ipc_read_rest_or_skip(s, &no_blob_shape, &arena, NEVER, &got, &good, &err));
    }
}

struct bad_row {
    const char *name;
    enum ipc_encoding e;
    slice input;
    enum err_kind kind;
    const char *text;
};

#define NAMED " from x socket"

static const struct bad_row bad_rows[] = {
    {"other name", IPC_ATTR0, S_INIT("flag\0001\0\0"), ERR_PEER, "unexpected attribute flag" NAMED " (expecting: flags)"},
    {"other order", IPC_ATTR0, S_INIT("flags\0001\0size\0001\0"), ERR_PEER,
     "unexpected attribute size" NAMED " (expecting: sender)"},
    {"list too short", IPC_ATTR0, S_INIT("flags\0001\0\0"), ERR_PEER, "missing attribute sender in input" NAMED},
    {"list too long", IPC_ATTR0, S_INIT("flags\0001\0sender\0\0size\0002\0more\0\0\0"), ERR_PEER,
     "unexpected attribute more" NAMED " (expecting: list terminator)"},
    {"ends in a name", IPC_ATTR0, S_INIT("fla"), ERR_PEER,
     "premature end-of-input on x socket while reading input attribute name"},
    {"ends in a value", IPC_ATTR0, S_INIT("flags\0001"), ERR_PEER,
     "premature end-of-input on x socket while reading input attribute value"},
    {"ends between", IPC_ATTR0, S_INIT("flags\0001\0"), ERR_PEER,
     "premature end-of-input on x socket while reading input attribute name"},
    {"no number", IPC_ATTR0, S_INIT("flags\0001x\0"), ERR_PEER, "malformed numerical data from x socket while reading input attribute value: 1x"},
    {"empty number", IPC_ATTR0, S_INIT("flags\0\0"), ERR_PEER, "malformed numerical data from x socket while reading input attribute value: "},
    {"number too large", IPC_ATTR0, S_INIT("flags\0004294967296\0"), ERR_PEER,
     "malformed numerical data from x socket while reading input attribute value: 4294967296"},
    {"no equals sign", IPC_PLAIN, S_INIT("flags\n"), ERR_PEER, "missing '=' after attribute name" NAMED ": flags"},
    {"plain other name", IPC_PLAIN, S_INIT("a=b=c\n"), ERR_PEER, "unexpected attribute a" NAMED " (expecting: flags)"},
    {"plain too short", IPC_PLAIN, S_INIT("flags=1\n\n"), ERR_PEER, "missing attribute sender in input" NAMED},
    {"plain ends", IPC_PLAIN, S_INIT("flags=1\nsend"), ERR_PEER,
     "premature end-of-input on x socket while reading input attribute name"},
    {"too much", IPC_ATTR0, S_INIT("flags\0001\0sender\0" "0123456789012345678901234567890123456789"
                                   "0123456789012345678901234567890123456789" "\0"), ERR_LIMIT,
     "too much input" NAMED " while reading input attribute value"},
};

static void bad_input(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_rows); i++) {
        const struct bad_row *row = &bad_rows[i];
        AUTO_STREAM struct stream *s = stream_from_bytes(row->input);
        AUTO_ARENA struct arena arena = ARENA_INIT(64);
        struct no_blob got = {77, S_INIT("poison"), 78}, before = got;
        struct err err = {0};

        stream_set_name(s, "x socket");
        if (ipc_read_as(row->e, s, &no_blob_shape, &arena, NEVER, &got, &err) != IPC_FAILED)
            fail_msg("%s: accepted", row->name);
        if (err.kind != row->kind || strcmp(err.text, row->text) != 0)
            fail_msg("%s: %d %s", row->name, (int)err.kind, err.text);
        assert_memory_equal(&got, &before, sizeof got);
    }
}

static void first_and_rest(void **state)
{
    AUTO_STREAM struct stream *s = stream_from_bytes(S("request\0lookup\0flags\0-1\0sender\0\0size\0001\0\0"));
    AUTO_ARENA struct arena arena = ARENA_INIT(1000);
    struct no_blob got;
    struct err err;
    slice request;

    (void)state;
    assert_int_equal(ipc_read_first(s, "request", &arena, NEVER, &request, &err), IPC_MESSAGE_READ);
    assert_slice(request, S("lookup"));
    assert_true(ipc_read_rest(s, &no_blob_shape, &arena, NEVER, &got, &err));
    assert_int_equal(got.flags, -1);
    assert_int_equal(got.size, 1);
    assert_int_equal(ipc_read_first(s, "request", &arena, NEVER, &request, &err), IPC_END);
    assert_false(ipc_read_rest(s, &no_blob_shape, &arena, NEVER, &got, &err));
    AUTO_STREAM struct stream *plain = stream_from_bytes(S("request=a=b\nflags=1\n"));
    assert_int_equal(ipc_read_first_as(IPC_PLAIN, plain, "request", &arena, NEVER, &request, &err), IPC_MESSAGE_READ);
    assert_slice(request, S("a=b"));
}

/* Nothing of a list that cannot be sent goes out. */
static void unsendable(void **state)
{
    const struct no_blob nul = {1, S_INIT("a\0b"), 1}, newline = {1, S_INIT("a\nb"), 1};
    AUTO_STREAM struct stream *s = stream_from_bytes(S(""));
    AUTO_BUF struct buf out = BUF_INIT(100);
    struct err err;

    (void)state;
    assert_false(ipc_write(s, &no_blob_shape, &nul, NEVER, &err));
    assert_int_equal(err.kind, ERR_SYNTAX);
    assert_false(ipc_write_as(IPC_PLAIN, s, &no_blob_shape, &newline, NEVER, &err));
    assert_false(ipc_write_pair(s, "name", S("\0"), NEVER, &err));
    assert_int_equal(stream_pending(s), 0);
    assert_true(ipc_write(s, &no_blob_shape, &newline, NEVER, &err));
    assert_false(ipc_encode(IPC_PLAIN, &no_blob_shape, &newline, &out));
}

static void hello_main(void *arg)
{
    int fds[2];
    struct err err;

    (void)arg;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    AUTO_STREAM struct stream *server = stream_open(fds[0]);
    AUTO_STREAM struct stream *client = stream_open(fds[1]);
    stream_set_name(client, "private/x socket");
    for (int i = 0; i < 2; i++) {
        assert_true(ipc_hello(server, "x_protocol", NEVER, &err));
        assert_true(stream_flush(server, NEVER, &err));
    }
    assert_true(ipc_expect_hello(client, "x_protocol", NEVER, &err));
    assert_false(ipc_expect_hello(client, "y_protocol", NEVER, &err));
    assert_string_equal(err.text, "unexpected protocol x_protocol from private/x socket (expected: y_protocol)");
    assert_false(ipc_expect_hello(client, "x_protocol", deadline_in(MILLIS(2)), &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_string_equal(err.text, "timeout on private/x socket while reading input attribute name");
    assert_true(ipc_write_pair(server, "protocol", S("x_protocol"), NEVER, &err));
    assert_true(ipc_write_end(server, NEVER, &err) && stream_flush(server, NEVER, &err));
    assert_true(ipc_expect_hello(client, "x_protocol", NEVER, &err));
}

static void hello(void **state)
{
    struct err err;

    (void)state;
    assert_true(loop_run(hello_main, NULL, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodings),      cmocka_unit_test(there_and_back), cmocka_unit_test(skips), cmocka_unit_test(bad_input),
        cmocka_unit_test(first_and_rest), cmocka_unit_test(unsendable),     cmocka_unit_test(hello),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
