/* core/base/arena.h - memory for one session or one message, freed in one go, with a cap.
 *
 * arena_alloc() and its kin return NULL once the cap is reached: the caller reports ERR_LIMIT (a 452 or 552 to a peer),
 * the process lives on.  Allocations are zeroed and aligned for any type.  arena_reset() gives everything back but the
 * first block.  Under ASan each allocation is a malloc of its own, so overruns are seen. */
#ifndef CORE_BASE_ARENA_H
#define CORE_BASE_ARENA_H

#include "core/base/attributes.h"
#include "core/base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used_bytes, cap_bytes;
};

void arena_init(struct arena *a, size_t cap_bytes);
void arena_done(struct arena *a);
void arena_reset(struct arena *a);
#define AUTO_ARENA CLEANUP(arena_done)
#define ARENA_INIT(cap) {.cap_bytes = (cap)}

/* NULL: the cap is reached. */
void *arena_alloc(struct arena *a, size_t bytes);
void *arena_alloc_array(struct arena *a, size_t count, size_t bytes);
#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

/* Copies S; *OUT then lives as long as the arena and has a NUL behind it.  False: cap reached, *OUT untouched. */
MUST_CHECK bool arena_copy(struct arena *a, slice s, slice *out);
/* The same as a C string; NULL: cap reached.  S must have no NUL inside (see text_from_slice). */
char *arena_text(struct arena *a, slice s);
/* printf into the arena; *OUT has a NUL behind it. */
MUST_CHECK bool arena_printf(struct arena *a, slice *out, const char *format, ...) PRINTF_LIKE(3, 4);

/* For texts that are shown to people: the same, but FALLBACK (a literal) when the cap is reached. */
slice arena_keep(struct arena *a, slice s, slice fallback);
slice arena_format(struct arena *a, slice fallback, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
