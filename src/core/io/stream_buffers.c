#include <stdlib.h>
#include <string.h>

#include "core/base/bug.h"
#include "core/io/stream_inner.h"
#include "core/run/page.h"

/* Borrowed from the loop, but for odd sizes and streams without descriptor. */
static char *new_buffer(const struct stream *s, size_t cap)
{
    if (s->read_fd >= 0 && cap == PAGE_BYTES)
        return page_take();
    if (s->read_fd >= 0 && cap == BULK_BYTES)
        return bulk_take();
    return xmalloc(cap);
}

static void free_buffer(const struct stream *s, char *buffer, size_t cap)
{
    if (s->read_fd >= 0 && cap == PAGE_BYTES)
        page_give(buffer);
    else if (s->read_fd >= 0 && cap == BULK_BYTES)
        bulk_give(buffer);
    else
        free(buffer);
}

/* A buffer of CAP bytes, at least PAGE_BYTES, that starts as the USED bytes at FROM in OLD, which is freed. */
static char *resize_buffer(const struct stream *s, char *old, size_t old_cap, const char *from, size_t used, size_t cap)
{
    char *buffer = new_buffer(s, cap);

    if (used > 0)
        memcpy(buffer, from, used);
    free_buffer(s, old, old_cap);
    return buffer;
}

void stream_free_input(struct stream *s)
{
    free_buffer(s, s->in, s->in_cap);
    s->in = NULL;
    s->in_at = s->in_end = s->in_cap = 0;
}

void stream_free_output(struct stream *s)
{
    free_buffer(s, s->out, s->out_cap);
    s->out = NULL;
    s->out_cap = 0;
}

void stream_give_buffers_back(void *arg)
{
    struct stream *s = arg;

    if (s->in_at == s->in_end)
        stream_free_input(s);
    if (s->out_n == 0)
        stream_free_output(s);
}

void stream_give_bulk_back(struct stream *s)
{
    size_t rest = s->in_end - s->in_at;

    if (s->in_cap != BULK_BYTES || rest > PAGE_BYTES)
        return;
    if (rest == 0) {
        stream_free_input(s);
        return;
    }
    s->in = resize_buffer(s, s->in, s->in_cap, s->in + s->in_at, rest, PAGE_BYTES);
    s->in_cap = PAGE_BYTES;
    s->in_at = 0;
    s->in_end = rest;
}

static size_t read_cap(const struct stream *s, size_t rest)
{
    size_t cap = s->in_cap == 0 ? PAGE_BYTES : s->in_cap;

    while (cap < rest + READ_BYTES)
        cap *= 2;
    return s->bulk && cap < BULK_BYTES && !bulk_is_short() ? BULK_BYTES : cap;
}

size_t stream_make_read_room(struct stream *s)
{
    size_t rest = s->in_end - s->in_at, cap = read_cap(s, rest);

    if (cap != s->in_cap)
        s->in = resize_buffer(s, s->in, s->in_cap, s->in + s->in_at, rest, cap);
    else if (rest > 0 && s->in_at > 0)
        memmove(s->in, s->in + s->in_at, rest);
    s->in_cap = cap;
    s->in_at = 0;
    s->in_end = rest;
    return s->bulk ? cap - rest : READ_BYTES;
}

void stream_make_room(struct stream *s, size_t n)
{
    size_t cap = s->out_cap == 0 ? PAGE_BYTES : s->out_cap;

    while (cap < s->out_n + n && cap < WRITE_BYTES_MOST)
        cap *= 2;
    if (cap != s->out_cap) {
        s->out = resize_buffer(s, s->out, s->out_cap, s->out, s->out_n, cap);
        s->out_cap = cap;
    }
}
