/* core/base/buf.h - a growing run of bytes with a maximum fixed at birth.
 *
 * Owns its memory (buf_done frees; AUTO_BUF does it at scope end).  Always has a NUL behind its last byte once
 * something was added, so buf_text() is a C string.  Adding past the maximum changes nothing and returns false and sets
 * .overflow (sticky), so that a run of adds can be checked once at its end. */
#ifndef CORE_BASE_BUF_H
#define CORE_BASE_BUF_H

#include "core/base/attributes.h"
#include "core/base/slice.h"

struct buf {
    char *p;
    size_t n, cap, max;
    bool overflow;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_done(struct buf *b);
#define AUTO_BUF CLEANUP(buf_done)
/* For a declaration: AUTO_BUF struct buf b = BUF_INIT(1000); */
#define BUF_INIT(max_bytes) {.max = (max_bytes)}

bool buf_add(struct buf *b, slice s);
static inline bool buf_add_char(struct buf *b, char c);
bool buf_add_number(struct buf *b, int64_t value); /* decimal */
bool buf_addf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
bool buf_add_text(struct buf *b, const char *text);

/* Makes room for N more bytes and returns where they go (valid until the next call); NULL past the maximum.
 * buf_commit() then says how many were written. */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

void buf_clear(struct buf *b);               /* keeps the memory */
void buf_truncate(struct buf *b, size_t n);  /* n <= b->n */
void buf_consume(struct buf *b, size_t n);   /* drops N bytes from the front */
const char *buf_text(const struct buf *b);   /* "" when nothing was added */

static inline bool buf_add_char(struct buf *b, char c)
{
    if (b->cap - b->n < 2 || b->n >= b->max)
        return buf_add(b, slice_of(&c, 1));
    b->p[b->n++] = c;
    b->p[b->n] = '\0';
    return true;
}

static inline slice buf_slice(const struct buf *b)
{
    return (slice){b->p, b->n};
}

#endif
