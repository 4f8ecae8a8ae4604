/* Queue files as Debian's Postfix, a milter and older releases leave them: the records in logical order, the envelope.
 * The files are the fuzzers' corpus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/attributes.h"
#include "core/base/clock.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/queue/envelope_reader.h"

#define CORPUS "../../../fuzz/corpus/queue_file/"

static int open_sample(const char *name)
{
    char path[200];
    int fd;

    (void)snprintf(path, sizeof path, CORPUS "%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("%s: not there", path);
    return fd;
}

static int file_of(slice content)
{
    int fd = memfd_create("queue-file", MFD_CLOEXEC);
    struct err err;

    assert_true(fd >= 0 && file_write_all(fd, content, &err));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* ---- records ---- */

static void logical_order(void **state)
{
    static const struct {
        const char *file, *types;
        enum record_got end;
    } rows[] = {
        {"dropped-by-the-book", "TAFSRMNNNXE", RECORD_EOF},
        {"deferred-by-the-book", "CTAAFSAORMNNNNNNNNXE", RECORD_EOF},
        /* What follows E was reached before it. */
        {"milter-edited", "CTAAASAAAAAAAAAAAAAAORAO/ODMNNNNNNNNNNNNXE", RECORD_BAD},
        {"cut-short", "CTAAFSWAOR", RECORD_BAD},
        {"pointer-to-itself", "C", RECORD_BAD},
        {"old-five-fields", "CTAFSWRMNNNNNXE", RECORD_EOF},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FD int fd = open_sample(rows[i].file);
        AUTO_QUEUE_READER struct queue_reader *r = queue_reader_open(fd, rows[i].file, 0);
        AUTO_BUF struct buf types = BUF_INIT(1000);
        enum record_got got;
        int64_t offset;
        struct err err;
        slice data;
        int type;

        print_message("  %s\n", rows[i].file);
        while ((got = queue_reader_next(r, &type, &data, &offset, &err)) == RECORD_READ) {
            (void)buf_add_char(&types, (char)type);
            if (type == RECORD_END && rows[i].end == RECORD_BAD) {
                got = RECORD_BAD;
                break;
            }
        }
        assert_int_equal(got, rows[i].end);
        if (strcmp(rows[i].file, "cut-short") != 0)
            assert_string_equal(buf_text(&types), rows[i].types);
    }
}

static void offsets(void **state)
{
    AUTO_FD int fd = open_sample("deferred-by-the-book");
    AUTO_QUEUE_READER struct queue_reader *r = queue_reader_open(fd, "x", 0);
    int64_t offset = -1;
    struct err err;
    slice data;
    int type;

    (void)state;
    do
        assert_int_equal(queue_reader_next(r, &type, &data, &offset, &err), RECORD_READ);
    while (type != RECORD_RECIPIENT);
    assert_int_equal(offset, 231);
    assert_int_equal(queue_reader_offset(r), 244);
    assert_true(queue_reader_seek(r, 519, &err));
    assert_int_equal(queue_reader_next(r, &type, &data, &offset, &err), RECORD_READ);
    assert_int_equal(type, RECORD_EXTRACTED);
    assert_true(queue_reader_seek(r, 97, &err));
    assert_int_equal(queue_reader_next(r, &type, &data, &offset, &err), RECORD_READ);
    assert_int_equal(type, RECORD_TIME);
}

static void damage(void **state)
{
    static const struct {
        slice in;
        size_t limit;
        const char *text;
    } rows[] = {
        {S_INIT("N\xff\xff\xff\xff\1x"), 0, "f: too many length bits, record type 78"},
        {S_INIT("N\x80"), 0, "f: unexpected EOF reading length, record type 78"},
        {S_INIT("N"), 0, "f: unexpected EOF reading length, record type 78"},
        {S_INIT("N\5abc"), 0, "f: unexpected EOF in data, record type 78 length 5"},
        {S_INIT("N\5abcde"), 4, "f: illegal length 5, record type 78"},
        {S_INIT("p\1x"), 0, "f: malformed pointer record value: x"},
        {S_INIT("p\2-1"), 0, "f: malformed pointer record value: -1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FD int fd = file_of(rows[i].in);
        AUTO_QUEUE_READER struct queue_reader *r = queue_reader_open(fd, "f", rows[i].limit);
        int64_t offset;
        struct err err = {0};
        slice data;
        int type;

        assert_int_equal(queue_reader_next(r, &type, &data, &offset, &err), RECORD_BAD);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_string_equal(err.text, rows[i].text);
    }
}

static void loops_end(void **state)
{
    AUTO_FD int fd = open_sample("pointer-to-itself");
    AUTO_QUEUE_READER struct queue_reader *r = queue_reader_open(fd, "f", 0);
    int64_t offset;
    struct err err;
    slice data;
    int type;

    (void)state;
    assert_int_equal(queue_reader_next(r, &type, &data, &offset, &err), RECORD_READ);
    assert_int_equal(queue_reader_next(r, &type, &data, &offset, &err), RECORD_BAD);
    assert_string_equal(err.text, "f: too many reverse jump records");
}

/* Records that cross the reader's buffer in every place. */
static void long_records(void **state)
{
    (void)state;
    for (size_t n = 4080; n < 4110; n++) {
        AUTO_BUF struct buf text = BUF_INIT(10000), file = BUF_INIT(20000);

        memset(buf_reserve(&text, n), 'x', n);
        buf_commit(&text, n);
        assert_true(record_add(&file, 'N', buf_slice(&text)) && record_add(&file, 'X', S("")));
        AUTO_FD int fd = file_of(buf_slice(&file));
        AUTO_QUEUE_READER struct queue_reader *r = queue_reader_open(fd, "f", 0);
        bool ends_line = false;
        struct err err;
        slice got;

        assert_int_equal(queue_reader_text(r, &got, &ends_line, &err), RECORD_READ);
        assert_true(ends_line && slice_eq(got, buf_slice(&text)));
        assert_int_equal(queue_reader_text(r, &got, &ends_line, &err), RECORD_EOF);
    }
}

/* ---- envelopes ---- */

struct seen {
    struct buf text;
    int stop_after;
};

static bool see(void *context, const struct recipient *r, bool done)
{
    struct seen *s = context;

    (void)buf_addf(&s->text, "%s%.*s(%.*s)@%lld ", done ? "done:" : "", S_ARG(r->address), S_ARG(r->original),
                   (long long)r->offset);
    return s->stop_after-- != 0;
}

static void by_the_book(void **state)
{
    AUTO_FD int fd = open_sample("deferred-by-the-book");
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    struct seen seen = {BUF_INIT(1000), -1};
    struct envelope_cursor c;
    struct envelope e;
    struct err err;

    (void)state;
    assert_true(envelope_read(fd, "f", &arena, 1000, see, &seen, &e, &c, &err));
    assert_string_equal(buf_text(&seen.text), "a@dead.test(a@dead.test)@231 ");
    buf_done(&seen.text);
    assert_int_equal(e.arrival_us, SECONDS(1795454304) + 32301);
    assert_int_equal(e.create_time, 1795454304);
    assert_int_equal(e.size.data_offset, 246);
    assert_int_equal(e.size.content_bytes, 273);
    assert_true(slice_eq(e.sender, S("s@test.invalid")) && slice_eq(e.full_name, S("root")));
    assert_true(slice_eq(e.rewrite_context, S("local")));
    assert_int_equal(c.next_offset, 0);
    assert_int_equal(c.counted, 1);
}

static void edited_by_a_milter(void **state)
{
    AUTO_FD int fd = open_sample("milter-edited");
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    struct seen seen = {BUF_INIT(1000), -1};
    struct envelope_cursor c;
    struct envelope e;
    struct err err;

    (void)state;
    assert_true(envelope_read(fd, "f", &arena, 1000, see, &seen, &e, &c, &err));
    assert_string_equal(buf_text(&seen.text),
                        "u8@remote.test1(u8@remote.test1)@622 done:bob@test.invalid(bob@test.invalid)@1270 ");
    buf_done(&seen.text);
    assert_true(slice_eq(e.sender, S("newsender@test.invalid")));
    assert_true(slice_eq(e.client_name, S("localhost")) && slice_eq(e.helo_name, S("client.example")));
    assert_int_equal(c.counted, 3);
    assert_int_equal(e.size.recipients, 3);
}

static void old_files(void **state)
{
    static const char *const names[] = {"old-five-fields", "old-three-fields"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FD int fd = open_sample(names[i]);
        AUTO_ARENA struct arena arena = ARENA_INIT(100000);
        struct seen seen = {BUF_INIT(1000), -1};
        struct envelope_cursor c;
        struct envelope e;
        struct err err;

        assert_true(envelope_read(fd, "f", &arena, 1000, see, &seen, &e, &c, &err));
        assert_memory_equal(buf_text(&seen.text), "alice@test.invalid()@", 21);
        buf_done(&seen.text);
        assert_int_equal(e.create_time, 1310380628);
        assert_int_equal(e.warn_time, 1310395028);
        assert_int_equal(e.size.content_bytes, e.size.message_bytes);
    }
}

static void warn_time_can_be_found_again(void **state)
{
    AUTO_FD int fd = open_sample("old-five-fields");
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    struct envelope_cursor c;
    struct envelope e;
    char text[15];
    struct err err;

    (void)state;
    assert_true(envelope_read(fd, "f", &arena, 1000, NULL, NULL, &e, &c, &err));
    assert_int_equal(pread(fd, text, sizeof text, e.warn_offset), sizeof text);
    assert_memory_equal(text, "     1310395028", 15);
}

static void refused(void **state)
{
    static const struct {
        const char *file, *text;
    } rows[] = {
        {"no-end", "missing end record"},
        {"size-wrong", "unexpected record type 101 at offset 251"},
        {"dropped-by-the-book", "missing size record"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FD int fd = open_sample(rows[i].file);
        AUTO_ARENA struct arena arena = ARENA_INIT(100000);
        struct envelope_cursor c = {.next_offset = -9};
        struct envelope e = {.ret_flags = -9};
        struct err err;

        print_message("  %s\n", rows[i].file);
        assert_false(envelope_read(fd, "f", &arena, 1000, NULL, NULL, &e, &c, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
        if (i != 1)
            assert_string_equal(err.text, rows[i].text);
        assert_int_equal(e.ret_flags, -9);
        assert_int_equal(c.next_offset, -9);
        assert_true(envelope_read_loose(fd, "f", &arena, 1000, NULL, NULL, &e, &c, &err));
        assert_true(e.has_sender);
    }
}

/* A message of many recipients, part of them in the last segment, mixed with other records or not. */
static void make_large(struct buf *file, int in_envelope, int in_extracted, bool mixed)
{
    AUTO_BUF struct buf env = BUF_INIT(1u << 20), ext = BUF_INIT(1u << 20);
    struct size_record size = {.recipients = in_envelope + in_extracted, .qmgr_flags = mixed};
    char head[SIZE_RECORD_BYTES + 1];

    assert_true(record_add(&env, 'T', S("5 6")) && record_add(&env, 'S', S("s")));
    for (int i = 0; i < in_envelope + in_extracted; i++) {
        struct buf *to = i < in_envelope ? &env : &ext;

        if (i == in_envelope)
            assert_true(record_add(&ext, 'L', S("smtp:filter")));
        assert_true(record_addf(to, 'O', "o%d", i) && record_addf(to, i % 5 == 3 ? 'D' : 'R', "r%d", i));
        if (mixed)
            assert_true(record_addf(to, 'A', "message_id=<%d>", i));
    }
    assert_true(record_add(&env, 'M', S("")));
    size.data_offset = (int64_t)(SIZE_RECORD_BYTES + env.n);
    size.message_bytes = 6;
    size_record_print(&size, head);
    assert_true(buf_add(file, slice_of(head, SIZE_RECORD_BYTES)) && buf_add(file, buf_slice(&env)) &&
                record_add(file, 'N', S("body")) && record_add(file, 'X', S("")) && buf_add(file, buf_slice(&ext)) &&
                record_add(file, 'E', S("")));
}

static void many_recipients_in_portions(void **state)
{
    static const struct {
        int in_envelope, in_extracted;
        size_t most;
    } rows[] = {{23, 0, 4}, {0, 23, 4}, {11, 12, 4}, {10, 10, 16}, {10, 0, 8}, {7, 5, 1}, {5, 5, 100}};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        bool mixed = i % 2 != 0;
        int all = rows[i / 2].in_envelope + rows[i / 2].in_extracted;
        AUTO_BUF struct buf file = BUF_INIT(1u << 20), want = BUF_INIT(10000), got = BUF_INIT(10000);
        AUTO_ARENA struct arena arena = ARENA_INIT(100000);
        struct seen seen = {BUF_INIT(10000), -1};
        struct envelope_cursor c;
        struct envelope e;
        struct err err;
        int reads = 1;

        make_large(&file, rows[i / 2].in_envelope, rows[i / 2].in_extracted, mixed);
        AUTO_FD int fd = file_of(buf_slice(&file));
        if (!envelope_read(fd, "f", &arena, rows[i / 2].most, see, &seen, &e, &c, &err))
            fail_msg("%s", err.text);
        if (rows[i / 2].in_extracted > 0)
            assert_true(slice_eq(e.filter, S("smtp:filter")));
        if (mixed) {
            (void)buf_addf(&got, "<%d>", all - 1);
            assert_true(slice_eq(e.message_id, buf_slice(&got)));
        }
        while (c.next_offset != 0) {
            assert_int_equal(c.unread, all - c.counted);
            if (!envelope_read_more(fd, "f", &arena, rows[i / 2].most, see, &seen, &c, &err))
                fail_msg("%s", err.text);
            assert_true(reads++ < 50);
        }
        assert_int_equal(c.counted, all);
        assert_int_equal(c.unread, 0);
        buf_clear(&got);
        for (slice rest = buf_slice(&seen.text), word; cut_word(&rest, " ", &word);)
            (void)buf_addf(&got, "%.*s ", S_ARG(slice_head(word, slice_find(word, '@'))));
        for (int n = 0; n < all; n++)
            (void)buf_addf(&want, "%sr%d(o%d) ", n % 5 == 3 ? "done:" : "", n, n);
        assert_string_equal(buf_text(&got), buf_text(&want));
        buf_done(&seen.text);
    }
}

static void reader_may_be_stopped(void **state)
{
    AUTO_FD int fd = open_sample("deferred-smtp");
    AUTO_ARENA struct arena arena = ARENA_INIT(100000);
    struct seen seen = {BUF_INIT(1000), 1};
    struct envelope_cursor c;
    struct envelope e;
    struct err err;

    (void)state;
    assert_false(envelope_read(fd, "f", &arena, 1000, see, &seen, &e, &c, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_done(&seen.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logical_order),
        cmocka_unit_test(offsets),
        cmocka_unit_test(damage),
        cmocka_unit_test(loops_end),
        cmocka_unit_test(long_records),
        cmocka_unit_test(by_the_book),
        cmocka_unit_test(edited_by_a_milter),
        cmocka_unit_test(old_files),
        cmocka_unit_test(warn_time_can_be_found_again),
        cmocka_unit_test(refused),
        cmocka_unit_test(many_recipients_in_portions),
        cmocka_unit_test(reader_may_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
