/* Any text as a bounce log: what is parsed prints, and parses back to the same. */
#include "core/base/bug.h"
#include "mail/queue/bounce_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct check {
    struct arena *arena;
    struct buf first, second;
};

static bool print_again(void *context, const struct bounce_entry *e)
{
    struct check *c = context;

    BUG_IF(!bounce_entry_print(e, true, &c->second));
    return true;
}

static bool print_entry(void *context, const struct bounce_entry *e)
{
    struct check *c = context;

    buf_clear(&c->first);
    buf_clear(&c->second);
    if (!bounce_entry_print(e, true, &c->first))
        return true;
    (void)bounce_log_parse(buf_slice(&c->first), false, c->arena, print_again, c);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct arena arena;
    struct check c = {.arena = &arena};

    arena_init(&arena, 16u << 20);
    buf_init(&c.first, 16u << 20);
    buf_init(&c.second, 32u << 20);
    (void)bounce_log_parse(slice_of(bytes, n), true, &arena, print_entry, &c);
    buf_done(&c.first);
    buf_done(&c.second);
    arena_done(&arena);
    return 0;
}
