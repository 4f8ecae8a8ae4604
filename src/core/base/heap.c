#include "core/base/heap.h"

#include <stdlib.h>

#include "core/base/bug.h"

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_done(struct heap *h)
{
    free(h->nodes);
    heap_init(h);
}

static void place(struct heap *h, size_t i, struct heap_node *node)
{
    h->nodes[i] = node;
    node->place = i + 1;
}

static void sift_up(struct heap *h, size_t i)
{
    struct heap_node *node = h->nodes[i];

    for (; i > 0 && h->nodes[(i - 1) / 2]->key > node->key; i = (i - 1) / 2)
        place(h, i, h->nodes[(i - 1) / 2]);
    place(h, i, node);
}

static void sift_down(struct heap *h, size_t i)
{
    struct heap_node *node = h->nodes[i];

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= h->count)
            break;
        if (child + 1 < h->count && h->nodes[child + 1]->key < h->nodes[child]->key)
            child++;
        if (h->nodes[child]->key >= node->key)
            break;
        place(h, i, h->nodes[child]);
        i = child;
    }
    place(h, i, node);
}

void heap_put(struct heap *h, struct heap_node *node, int64_t key)
{
    node->key = key;
    if (node->place == 0) {
        if (h->count == h->cap) {
            h->cap = h->cap == 0 ? 16 : h->cap * 2;
            h->nodes = xrealloc_array(h->nodes, h->cap, sizeof(struct heap_node *));
        }
        place(h, h->count++, node);
    }
    sift_up(h, node->place - 1);
    sift_down(h, node->place - 1);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    size_t i;
    struct heap_node *last;

    if (node->place == 0)
        return;
    i = node->place - 1;
    node->place = 0;
    last = h->nodes[--h->count];
    if (last == node)
        return;
    place(h, i, last);
    sift_up(h, i);
    sift_down(h, last->place - 1);
}

struct heap_node *heap_first(const struct heap *h)
{
    return h->count == 0 ? NULL : h->nodes[0];
}
