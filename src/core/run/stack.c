#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/run/loop.h"

#if defined(UNDER_ASAN) || defined(UNDER_TSAN)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

enum {
    STACK_BYTES = SANITIZED ? 1024 * 1024 : 256 * 1024,
    MOST_FREE = 256,          /* beyond that many, stacks go back to the system */
    SHALLOW_BYTES = 16 * 1024 /* a free stack keeps no more than about this much memory */
};

/* A free stack's list node lies where its task was. */
struct free_stack {
    struct list link;
    char *low;
};

_Static_assert(sizeof(struct free_stack) <= sizeof(struct task), "free_stack overlays task");

static size_t top_bytes(void)
{
    return (sizeof(struct task) + 63) & ~(size_t)63;
}

static struct task *top_of(struct loop *l, char *low)
{
    return (struct task *)(void *)(low + l->stack_bytes - top_bytes());
}

static char *map_stack(struct loop *l, struct err *err)
{
    size_t all = l->stack_bytes + l->page_bytes;
    char *p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (p == MAP_FAILED) {
        (void)err_set(err, ERR_LIMIT, "no mapping for a task's stack (%zu tasks)", l->task_count);
        return NULL;
    }
    if (mprotect(p, l->page_bytes, PROT_NONE) != 0) {
        (void)munmap(p, all);
        (void)err_set(err, ERR_LIMIT, "no guard page for a task's stack (%zu tasks)", l->task_count);
        return NULL;
    }
    annotate_mapped(p + l->page_bytes, l->stack_bytes);
    return p + l->page_bytes;
}

static void unmap_stack(struct loop *l, char *low)
{
    annotate_unmapped(low, l->stack_bytes);
    (void)munmap(low - l->page_bytes, l->stack_bytes + l->page_bytes);
}

struct task *stack_take(struct loop *l, struct err *err)
{
    struct free_stack *kept;
    struct task *t;
    char *low;

    if (l->page_bytes == 0) {
        l->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
        l->stack_bytes = STACK_BYTES;
    }
    kept = LIST_FIRST(&l->free_stacks, struct free_stack, link);
    if (kept != NULL) {
        list_remove(&kept->link);
        l->free_stack_count--;
        low = kept->low;
    } else {
        low = map_stack(l, err);
        if (low == NULL)
            return NULL;
    }
    t = top_of(l, low);
    *t = (struct task){.stack_low = low};
    annotate_stack(&t->annotation, low, l->stack_bytes - top_bytes());
    return t;
}

/* Was the page right below the shallow part ever written to?  If not, it reads as zeros without taking memory. */
static bool used_deeply(struct loop *l, char *low)
{
#if SANITIZED
    (void)l;
    (void)low;
    return true;
#else
    const char *page = low + l->stack_bytes - SHALLOW_BYTES - l->page_bytes;

    return page[0] != 0 || memcmp(page, page + 1, l->page_bytes - 1) != 0; /* each byte like the one before, all zero */
#endif
}

void stack_give(struct loop *l, struct task *t)
{
    char *low = t->stack_low;
    struct free_stack *kept = (struct free_stack *)(void *)t;

    annotate_stack_gone(&t->annotation, low, l->stack_bytes - top_bytes());
    if (l->free_stack_count >= MOST_FREE) {
        unmap_stack(l, low);
        return;
    }
    if (used_deeply(l, low))
        (void)madvise(low, l->stack_bytes - SHALLOW_BYTES, MADV_DONTNEED);
    *kept = (struct free_stack){.low = low};
    list_push_front(&l->free_stacks, &kept->link);
    l->free_stack_count++;
}

void stack_give_unused(struct loop *l, struct task *t)
{
    size_t unused = (size_t)(switch_lowest(&t->at) - t->stack_low) & ~(l->page_bytes - 1);

    if (unused > 0)
        (void)madvise(t->stack_low, unused, MADV_DONTNEED);
}

void stack_free_all(struct loop *l)
{
    LIST_EACH(link, &l->free_stacks) {
        struct free_stack *kept = LIST_ENTRY(link, struct free_stack, link);

        unmap_stack(l, kept->low);
    }
    list_init(&l->free_stacks);
}
