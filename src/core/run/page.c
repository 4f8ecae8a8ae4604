#include "core/run/page.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "core/base/bug.h"
#include "core/run/loop.h"

#ifdef UNDER_ASAN /* which then sees overruns */

void *page_take(void)
{
    return xmalloc(PAGE_BYTES);
}

void page_give(void *page)
{
    free(page);
}

void pages_free(struct loop *l)
{
    (void)l;
}

#else

enum { SLAB_PAGES = 64, MOST_WARM = 128 };

struct stack_of_pages {
    void **pages;
    size_t count, cap;
};

struct pages {
    struct stack_of_pages warm, cold; /* cold ones have no memory behind them */
    struct stack_of_pages slabs;      /* mappings of SLAB_PAGES */
};

static void push(struct stack_of_pages *s, void *page)
{
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? SLAB_PAGES : s->cap * 2;
        s->pages = xrealloc_array(s->pages, s->cap, sizeof *s->pages);
    }
    s->pages[s->count++] = page;
}

static void *pop(struct stack_of_pages *s)
{
    return s->count == 0 ? NULL : s->pages[--s->count];
}

static void add_slab(struct pages *p)
{
    char *slab = mmap(NULL, SLAB_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (slab == MAP_FAILED)
        bug("out of memory for buffers");
    push(&p->slabs, slab);
    for (size_t i = SLAB_PAGES; i > 0; i--)
        push(&p->cold, slab + (i - 1) * PAGE_BYTES);
}

void *page_take(void)
{
    struct loop *l = loop_get();
    struct pages *p = l->pages;
    void *page;

    if (p == NULL)
        l->pages = p = xcalloc(1, sizeof *p);
    page = pop(&p->warm);
    if (page == NULL)
        page = pop(&p->cold);
    if (page == NULL) {
        add_slab(p);
        page = pop(&p->cold);
    }
    return page;
}

void page_give(void *page)
{
    struct pages *p;

    if (page == NULL || !loop_is_there()) /* the loop's end took all pages */
        return;
    p = loop_get()->pages;
    if (p->warm.count < MOST_WARM) {
        push(&p->warm, page);
        return;
    }
    (void)madvise(page, PAGE_BYTES, MADV_DONTNEED);
    push(&p->cold, page);
}

void pages_free(struct loop *l)
{
    struct pages *p = l->pages;
    void *slab;

    if (p == NULL)
        return;
    while ((slab = pop(&p->slabs)) != NULL)
        (void)munmap(slab, SLAB_PAGES * PAGE_BYTES);
    free(p->slabs.pages);
    free(p->warm.pages);
    free(p->cold.pages);
    free(p);
}

#endif
