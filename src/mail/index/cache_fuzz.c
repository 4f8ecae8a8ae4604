/* Any bytes as a cache's payload: texts lie in the input; what is parsed, put into an index and written parses back to
 * the same. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "mail/index/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct check {
    slice input;
    struct index index;
    struct cache_writer writer;
    struct cache_room *room;
    size_t messages, found;
};

static void is_inside(const struct check *c, slice s)
{
    BUG_IF(s.n > 0 && (s.p < c->input.p || s.p + s.n > c->input.p + c->input.n));
}

static void find_again(void *context, const struct cached *m)
{
    struct check *c = context;
    const struct index_entry *e = index_find(&c->index, m->id);

    BUG_IF(e == NULL || e->queue != m->queue || !index_is_file(e, &m->file) || e->details->count != m->shown.count);
    BUG_IF(!details_is_address(m->shown.sender, details_sender(e->details), e->details->sender_domain));
    c->found++;
}

static void keep(void *context, const struct cached *m)
{
    struct check *c = context;
    struct index_entry *e;

    is_inside(c, m->id);
    is_inside(c, m->shown.sender);
    for (size_t i = 0; i < m->shown.count; i++) {
        is_inside(c, m->shown.recipients[i].address);
        is_inside(c, m->shown.recipients[i].reason);
    }
    if (index_find(&c->index, m->id) != NULL || cache_is_full(&c->writer))
        return;
    e = index_put(&c->index, m->queue, m->id, &m->file, m->file.changed_us);
    index_learn(&c->index, e, &m->shown);
    if (e->state != INDEX_KNOWN)
        return;
    cache_add(&c->writer, e);
    c->messages++;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct check c = {.input = slice_of(bytes, n), .room = xmalloc(sizeof *c.room)};
    struct buf block = BUF_INIT(2 * CACHE_PAYLOAD_MOST);
    struct cache_head head;
    slice written;

    (void)cache_head_parse(slice_head(c.input, CACHE_HEAD_BYTES), 0, &head);
    index_init(&c.index);
    cache_writer_init(&c.writer);
    (void)cache_payload_parse(c.input, c.room, keep, &c);
    cache_add_block(&c.writer, 7, &block);
    written = buf_slice(&block);
    BUG_IF(!cache_head_parse(slice_head(written, CACHE_HEAD_BYTES), 7, &head));
    written = slice_skip(written, CACHE_HEAD_BYTES);
    BUG_IF(written.n != head.payload_bytes || head.checksum != cache_checksum(written));
    BUG_IF(c.messages > 0 && !cache_payload_parse(written, c.room, find_again, &c));
    BUG_IF(c.found != c.messages);
    buf_done(&block);
    cache_writer_done(&c.writer);
    index_done(&c.index);
    free(c.room);
    return 0;
}
