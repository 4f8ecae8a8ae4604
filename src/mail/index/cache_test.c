#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "mail/index/cache.h"

enum { VIEW = 3 };

static void put(struct index *ix, const char *id, enum index_queue queue, const struct shown *m)
{
    const struct index_file file = {77, 1234, 5000000, true};

    index_learn(ix, index_put(ix, queue, slice_text(id), &file, 0), m);
}

/* Two messages that share a reason. */
static void fill(struct index *ix)
{
    struct shown_recipient two[] = {{S("a@x.example"), S("no route")}, {S("b"), S("")}};
    struct shown m = {
        .arrival_s = -5, .message_bytes = 999, .sender = S("me@here.example"), .recipients = two, .count = 2};

    index_init(ix);
    put(ix, "ABC1", INDEX_DEFERRED, &m);
    m = (struct shown){.sender = S(""), .recipients = two, .count = 1};
    put(ix, "ABC2", INDEX_HOLD, &m);
}

static void write_block(const struct index *ix, struct buf *out)
{
    struct cache_writer w;

    cache_writer_init(&w);
    cache_add(&w, index_find(ix, S("ABC1")));
    cache_add(&w, index_find(ix, S("ABC2")));
    assert_false(cache_is_full(&w));
    cache_add_block(&w, VIEW, out);
    cache_add_block(&w, VIEW, out); /* the last one */
    cache_writer_done(&w);
}

static void compare(void *context, const struct cached *m)
{
    unsigned *count = context;

    if ((*count)++ == 0) {
        assert_true(slice_eq(m->id, S("ABC1")) && m->queue == INDEX_DEFERRED && m->file.inode == 77);
        assert_int_equal(m->file.bytes, 1234);
        assert_int_equal(m->file.changed_us, 5000000);
        assert_int_equal(m->shown.arrival_s, -5);
        assert_int_equal(m->shown.message_bytes, 999);
        assert_int_equal(m->shown.count, 2);
        assert_true(slice_eq(m->shown.sender, S("me@here.example")));
        assert_true(slice_eq(m->shown.recipients[0].address, S("a@x.example")));
        assert_true(slice_eq(m->shown.recipients[0].reason, S("no route")));
        assert_true(slice_eq(m->shown.recipients[1].address, S("b")) && m->shown.recipients[1].reason.n == 0);
        return;
    }
    assert_true(slice_eq(m->id, S("ABC2")) && m->queue == INDEX_HOLD && m->shown.sender.n == 0 && m->shown.count == 1);
}

static void what_is_written_is_read(void **state)
{
    struct buf block = BUF_INIT(CACHE_PAYLOAD_MOST);
    struct cache_room *room = xmalloc(sizeof *room);
    struct cache_head head;
    unsigned count = 0;
    struct index ix;
    slice rest;

    (void)state;
    fill(&ix);
    write_block(&ix, &block);
    rest = buf_slice(&block);
    assert_false(cache_head_parse(slice_head(rest, CACHE_HEAD_BYTES), VIEW + 1, &head));
    assert_true(cache_head_parse(slice_head(rest, CACHE_HEAD_BYTES), VIEW, &head));
    rest = slice_skip(rest, CACHE_HEAD_BYTES);
    assert_int_equal(cache_checksum(slice_head(rest, head.payload_bytes)), head.checksum);
    assert_true(cache_payload_parse(slice_head(rest, head.payload_bytes), room, compare, &count));
    assert_int_equal(count, 2);
    rest = slice_skip(rest, head.payload_bytes);
    assert_true(cache_head_parse(rest, VIEW, &head));
    assert_int_equal(head.payload_bytes, 0);
    free(room);
    buf_done(&block);
    index_done(&ix);
}

static void ignore(void *context, const struct cached *m)
{
    (void)context;
    assert_true(m->id.n > 0);
}

static void a_payload_cut_short_is_damaged(void **state)
{
    struct buf block = BUF_INIT(CACHE_PAYLOAD_MOST);
    struct cache_room *room = xmalloc(sizeof *room);
    struct cache_head head;
    struct index ix;
    slice payload;

    (void)state;
    fill(&ix);
    write_block(&ix, &block);
    assert_true(cache_head_parse(slice_head(buf_slice(&block), CACHE_HEAD_BYTES), VIEW, &head));
    payload = slice_head(slice_skip(buf_slice(&block), CACHE_HEAD_BYTES), head.payload_bytes);
    for (size_t n = 0; n < payload.n; n++)
        assert_false(cache_payload_parse(slice_head(payload, n), room, ignore, NULL));
    for (size_t n = 0; n < payload.n; n++) {
        block.p[CACHE_HEAD_BYTES + n] ^= 4;
        assert_int_not_equal(cache_checksum(payload), head.checksum);
        (void)cache_payload_parse(payload, room, ignore, NULL);
        block.p[CACHE_HEAD_BYTES + n] ^= 4;
    }
    free(room);
    buf_done(&block);
    index_done(&ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_payload_cut_short_is_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
