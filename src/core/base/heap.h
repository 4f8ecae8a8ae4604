/* core/base/heap.h - intrusive binary min-heap keyed by an int64 (a time), for timers and due times.
 *
 * The node lives in its owner and knows its place, so removal and re-keying are O(log n).  The heap owns only its array. */
#ifndef CORE_BASE_HEAP_H
#define CORE_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    size_t place; /* index + 1 in the heap; 0: in no heap */
};

struct heap {
    struct heap_node **nodes;
    size_t count, cap;
};

void heap_init(struct heap *h);
void heap_done(struct heap *h);
/* Puts NODE in under KEY, or moves it when it is already in. */
void heap_put(struct heap *h, struct heap_node *node, int64_t key);
/* Harmless when NODE is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);
/* The smallest key, or NULL; stays in. */
struct heap_node *heap_first(const struct heap *h);

static inline bool heap_has(const struct heap_node *node)
{
    return node->place != 0;
}

#endif
