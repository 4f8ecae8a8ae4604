#include "mail/index/mentions.h"

#define NO_PLACE UINT32_MAX /* of a mention that is a cursor's */

/* Goes to the first spelling after the one at hand. */
static void turn_to_next(struct index_mentions *m)
{
    struct interned *old = m->text, *next = interned_domain(m->texts, m->domain, old);

    m->text = next;
    if (old != NULL) {
        list_remove(&m->at.same_domain);
        list_remove(&m->end.same_domain);
    }
    if (next != NULL) {
        (void)interned_share(next);
        list_push_front(&next->mentions, &m->at.same_domain);
        list_push_back(&next->mentions, &m->end.same_domain);
    }
    interned_leave(m->texts, old);
}

void index_mentions_begin(struct index *ix, slice domain, struct index_mentions *m)
{
    *m = (struct index_mentions){.texts = &ix->texts, .domain = domain, .at.place = NO_PLACE, .end.place = NO_PLACE};
    turn_to_next(m);
}

/* Is no earlier recipient of its message at the domain under another spelling? */
static bool is_first(const struct index_mentions *m, struct mention *found)
{
    const struct details *d = details_of(found);

    for (size_t i = 0; i < found->place; i++)
        if (d->mentions[i].domain != NULL && slice_eq_case(interned_text(d->mentions[i].domain), m->domain))
            return false;
    return true;
}

/* The next member of the list at hand; NULL: its end. */
static struct mention *step(struct index_mentions *m)
{
    struct list *node = m->at.same_domain.next;

    if (node == &m->end.same_domain)
        return NULL;
    list_remove(&m->at.same_domain);
    list_insert_before(node->next, &m->at.same_domain);
    return LIST_ENTRY(node, struct mention, same_domain);
}

struct index_entry *index_mentions_next(struct index_mentions *m)
{
    while (m->text != NULL) {
        struct mention *found = step(m);

        if (found == NULL)
            turn_to_next(m);
        else if (found->place != NO_PLACE && is_first(m, found))
            return details_of(found)->entry;
    }
    return NULL;
}

void index_mentions_end(struct index_mentions *m)
{
    if (m->text == NULL)
        return;
    list_remove(&m->at.same_domain);
    list_remove(&m->end.same_domain);
    interned_leave(m->texts, m->text);
}
