#include "core/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"

#if defined(__SANITIZE_ADDRESS__)
#define ONE_MALLOC_EACH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_MALLOC_EACH 1
#endif
#endif
#ifndef ONE_MALLOC_EACH
#define ONE_MALLOC_EACH 0
#endif

enum { ALIGN = 16, FIRST_BLOCK = 1024, LARGEST_BLOCK = 64 * 1024 };

struct arena_block {
    struct arena_block *older;
    size_t size, used;
    _Alignas(ALIGN) char bytes[];
};

void arena_init(struct arena *a, size_t cap_bytes)
{
    *a = (struct arena){.cap_bytes = cap_bytes};
}

static void free_blocks(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *older = block->older;

        free(block);
        block = older;
    }
}

void arena_done(struct arena *a)
{
    free_blocks(a->blocks);
    *a = (struct arena){.cap_bytes = a->cap_bytes};
}

void arena_reset(struct arena *a)
{
    if (ONE_MALLOC_EACH || a->blocks == NULL) {
        arena_done(a);
        return;
    }
    while (a->blocks->older != NULL) {
        struct arena_block *newest = a->blocks;

        a->blocks = newest->older;
        free(newest);
    }
    memset(a->blocks->bytes, 0, a->blocks->used);
    a->blocks->used = 0;
    a->used_bytes = 0;
}

static struct arena_block *add_block(struct arena *a, size_t need)
{
    size_t size = a->blocks == NULL ? FIRST_BLOCK : a->blocks->size * 2;
    struct arena_block *block;

    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < need || ONE_MALLOC_EACH)
        size = need;
    block = xcalloc(1, sizeof *block + size);
    block->size = size;
    block->older = a->blocks;
    a->blocks = block;
    return block;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    size_t need = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    struct arena_block *block = a->blocks;
    void *p;

    if (need < bytes || need > a->cap_bytes || a->used_bytes > a->cap_bytes - need)
        return NULL;
    if (ONE_MALLOC_EACH || block == NULL || block->size - block->used < need)
        block = add_block(a, need);
    p = block->bytes + block->used;
    block->used += need;
    a->used_bytes += need;
    return p;
}

void *arena_alloc_array(struct arena *a, size_t count, size_t bytes)
{
    size_t total;

    if (__builtin_mul_overflow(count, bytes, &total))
        return NULL;
    return arena_alloc(a, total);
}

char *arena_text(struct arena *a, slice s)
{
    char *p = arena_alloc(a, s.n + 1);

    if (p != NULL && s.n > 0)
        memcpy(p, s.p, s.n);
    return p;
}

bool arena_copy(struct arena *a, slice s, slice *out)
{
    char *p = arena_text(a, s);

    if (p == NULL)
        return false;
    *out = (slice){p, s.n};
    return true;
}

static bool print(struct arena *a, slice *out, const char *format, va_list args)
{
    va_list again;
    int n;
    char *p;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    BUG_IF(n < 0);
    p = arena_alloc(a, (size_t)n + 1);
    if (p == NULL)
        return false;
    (void)vsnprintf(p, (size_t)n + 1, format, args);
    *out = (slice){p, (size_t)n};
    return true;
}

bool arena_printf(struct arena *a, slice *out, const char *format, ...)
{
    va_list args;
    bool ok;

    va_start(args, format);
    ok = print(a, out, format, args);
    va_end(args);
    return ok;
}

slice arena_keep(struct arena *a, slice s, slice fallback)
{
    slice out = fallback;

    return arena_copy(a, s, &out) ? out : fallback;
}

slice arena_format(struct arena *a, slice fallback, const char *format, ...)
{
    slice out = fallback;
    va_list args;
    bool ok;

    va_start(args, format);
    ok = print(a, &out, format, args);
    va_end(args);
    return ok ? out : fallback;
}
