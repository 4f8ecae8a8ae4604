#include "core/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/cut.h"

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes};
}

void buf_done(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

char *buf_reserve(struct buf *b, size_t n)
{
    size_t need;

    if (n > b->max || b->n > b->max - n) {
        b->overflow = true;
        return NULL;
    }
    need = b->n + n + 1; /* the NUL */
    if (need > b->cap) {
        size_t cap = b->cap < 64 ? 64 : b->cap;

        while (cap < need)
            cap *= 2;
        b->p = xrealloc_array(b->p, cap, 1);
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_commit(struct buf *b, size_t n)
{
    BUG_IF(b->n + n >= b->cap);
    b->n += n;
    b->p[b->n] = '\0';
}

bool buf_add(struct buf *b, slice s)
{
    char *to;

    if (s.n < b->cap - b->n && s.n <= b->max - b->n && s.n > 0) { /* the usual case */
        memcpy(b->p + b->n, s.p, s.n);
        b->n += s.n;
        b->p[b->n] = '\0';
        return true;
    }
    to = buf_reserve(b, s.n);
    if (to == NULL)
        return false;
    if (s.n > 0)
        memcpy(to, s.p, s.n);
    buf_commit(b, s.n);
    return true;
}

bool buf_add_text(struct buf *b, const char *text)
{
    return buf_add(b, slice_text(text));
}

bool buf_add_number(struct buf *b, int64_t value)
{
    char digits[I64_TEXT];

    return buf_add(b, slice_of_i64(value, digits));
}

bool buf_addf(struct buf *b, const char *format, ...)
{
    size_t room = b->p == NULL ? 0 : b->cap - b->n;
    va_list args;
    char *to;
    int n;

    va_start(args, format);
    n = vsnprintf(room == 0 ? NULL : b->p + b->n, room, format, args);
    va_end(args);
    if (n < 0)
        bug("bad format \"%s\"", format);
    if ((size_t)n < room && (size_t)n <= b->max - b->n) {
        b->n += (size_t)n;
        return true;
    }
    if (room > 0)
        b->p[b->n] = '\0';
    to = buf_reserve(b, (size_t)n);
    if (to == NULL)
        return false;
    va_start(args, format);
    (void)vsnprintf(to, (size_t)n + 1, format, args);
    va_end(args);
    b->n += (size_t)n;
    return true;
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->overflow = false;
    if (b->p != NULL)
        b->p[0] = '\0';
}

void buf_truncate(struct buf *b, size_t n)
{
    BUG_IF(n > b->n);
    b->n = n;
    if (b->p != NULL)
        b->p[n] = '\0';
}

void buf_consume(struct buf *b, size_t n)
{
    BUG_IF(n > b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n + 1);
    b->n -= n;
}

const char *buf_text(const struct buf *b)
{
    return b->p == NULL ? "" : b->p;
}
