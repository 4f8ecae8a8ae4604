/* core/base/list.h - intrusive doubly linked list: the node lives in the member.  Owns nothing, cannot fail. */
#ifndef CORE_BASE_LIST_H
#define CORE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/attributes.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

/* True when NODE is in a list (nodes start zeroed or list_init-ed). */
static inline bool list_linked(const struct list *node)
{
    return node->next != NULL && node->next != node;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
    node->next = at;
    node->prev = at->prev;
    at->prev->next = node;
    at->prev = node;
}

static inline void list_push_back(struct list *head, struct list *node)
{
    list_insert_before(head, node);
}

static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert_before(head->next, node);
}

/* Takes NODE out; harmless when it is in no list. */
static inline void list_remove(struct list *node)
{
    if (node->next == NULL)
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)
/* First member, or NULL. */
#define LIST_FIRST(head, type, member) (list_empty(head) ? NULL : LIST_ENTRY((head)->next, type, member))
/* `each` is a struct list *; the current member may be removed in the body. */
#define LIST_EACH(each, head)                                                                                          \
    for (struct list *each = (head)->next, *each##_next = each->next; each != (head);                                  \
         each = each##_next, each##_next = each->next)

#endif
