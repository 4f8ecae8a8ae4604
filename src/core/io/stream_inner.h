/* core/io/stream_inner.h - what the parts of a stream share.  For core/io alone. */
#ifndef CORE_IO_STREAM_INNER_H
#define CORE_IO_STREAM_INNER_H

#include "core/io/stream.h"

enum { READ_BYTES = 4096, WRITE_BYTES_MOST = 64 * 1024, YIELD_AFTER_BYTES = 64 * 1024 };

struct stream {
    int read_fd, write_fd;
    char *in; /* unread bytes are in[in_at .. in_end) */
    size_t in_at, in_end, in_cap;
    char *out;
    size_t out_n, out_cap;
    size_t moved; /* since the last wait, for fairness */
    struct err *write_failure;
    char *name;
    bool discarding;
    bool eof, manual_flush, was_blocking, is_sole;
    bool bulk;    /* much is expected: as much as there is room for is read at a time */
    bool drained; /* nothing to read is expected: another read now would only say EAGAIN */
};

enum fill { FILL_FAILED, FILL_EOF, FILL_MORE };
/* Gets at least one byte more into the input buffer, behind what is unread there. */
MUST_CHECK enum fill stream_fill(struct stream *s, deadline by, struct err *err);

/* stream_buffers.c */
void stream_free_input(struct stream *s);
void stream_free_output(struct stream *s);
/* For a stream that waits: those in which nothing is. */
void stream_give_buffers_back(void *stream);
/* While nothing comes, a large buffer is of more use elsewhere.  Nothing in it is on loan when more is waited for. */
void stream_give_bulk_back(struct stream *s);
/* Room for reading; an unread rest moves to the front first.  Returns for how much a read is to ask. */
size_t stream_make_read_room(struct stream *s);
/* Room for N bytes more, up to the most a stream gathers; how many there really are is in out_cap. */
void stream_make_room(struct stream *s, size_t n);

static inline slice stream_unread(const struct stream *s)
{
    return s->in == NULL ? S("") : (slice){s->in + s->in_at, s->in_end - s->in_at};
}

static inline void stream_take(struct stream *s, size_t n)
{
    s->in_at += n;
}

#endif
