#include <stdlib.h>
#include <sys/random.h>

#include "deliver/smtp/own.h"
#include "deliver/smtp/search.h"

static int compare(unsigned a, unsigned b)
{
    return a < b ? -1 : a > b;
}

static int by_rank(const void *a, const void *b)
{
    const struct target *x = *(struct target *const *)a, *y = *(struct target *const *)b;
    int order = compare(x->preference, y->preference);

    if (order == 0)
        order = compare(x->family_rank, y->family_rank);
    return order != 0 ? order : compare(x->place, y->place);
}

/* Gives each target its place among equals: random, or as they came. */
static void give_places(struct target **all, size_t n, bool at_random)
{
    for (size_t i = n; at_random && i > 1; i--) {
        uint32_t random = 0;
        struct target *swap = all[i - 1];

        if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
            random = (uint32_t)clock_wall_us();
        all[i - 1] = all[random % i];
        all[random % i] = swap;
    }
    for (size_t i = 0; i < n; i++)
        all[i]->place = (unsigned)i;
}

bool order_targets(struct search *s)
{
    struct target **all = arena_alloc_array(s->arena, s->count, sizeof *all);
    slice preferred = slice_text(s->settings->address_preference);
    size_t n = s->count;

    if (all == NULL)
        return false;
    for (struct target *t = s->found; t != NULL; t = t->next) { /* found is newest first */
        int family = t->address.u.any.sa_family;

        all[--n] = t;
        t->family_rank = (family == AF_INET && slice_eq_case(preferred, S("ipv6"))) ||
                         (family == AF_INET6 && slice_eq_case(preferred, S("ipv4")));
    }
    give_places(all, s->count, s->settings->randomize_addresses);
    qsort(all, s->count, sizeof(struct target *), by_rank);
    for (size_t i = 0; i < s->count; i++)
        all[i]->next = i + 1 < s->count ? all[i + 1] : NULL;
    s->found = all[0];
    return true;
}

static bool is_me(const struct search *s, const struct target *t)
{
    return own_address(&t->address) || slice_eq_case(t->host, slice_text(s->settings->params->myhostname));
}

enum own_place order_drop_own(struct search *s, slice domain)
{
    unsigned own_preference = 0;
    bool found = false;

    if (s->port != 25)
        return OWN_IS_NONE;
    for (struct target *t = s->found; t != NULL; t = t->next)
        if (is_me(s, t)) {
            if (!found || t->preference < own_preference)
                own_preference = t->preference;
            found = true;
        }
    if (!found)
        return OWN_IS_NONE;
    if (s->found->preference >= own_preference) {
        slice reason =
            arena_format(s->arena, S("mail loops back to myself"), "mail for %.*s loops back to myself", S_ARG(domain));

        s->why = search_outcome(OUTCOME_BOUNCED, (struct dsn_code){5, 4, 6}, reason);
        return OWN_IS_BEST;
    }
    for (struct target *t = s->found; t != NULL; t = t->next)
        if (t->next != NULL && t->next->preference >= own_preference)
            t->next = NULL;
    return OWN_IS_WORSE;
}

/* ---- how many ---- */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many of the first target's family are kept, and how many of the other one: half of LIMIT each, and what one of
 * them does not need for the other. */
static void share(const struct target *first, size_t limit, bool balanced, size_t *mine, size_t *others)
{
    size_t same = 0, other = 0;

    for (const struct target *t = first; t != NULL; t = t->next)
        if (t->address.u.any.sa_family == first->address.u.any.sa_family)
            same++;
        else
            other++;
    *mine = smaller(same, limit - (balanced ? smaller(other, limit / 2) : 0));
    *others = balanced ? smaller(other, limit - *mine) : limit;
}

void order_limit(struct search *s, int limit, bool balanced)
{
    size_t mine = 0, others = 0, left = (size_t)limit;
    int family = s->found->address.u.any.sa_family;

    if (limit <= 0)
        return;
    share(s->found, left, balanced, &mine, &others);
    for (struct target **at = &s->found; *at != NULL;) {
        size_t *quota = (*at)->address.u.any.sa_family == family ? &mine : &others;

        if (*quota == 0 || left == 0) {
            *at = (*at)->next;
            continue;
        }
        --*quota;
        left--;
        at = &(*at)->next;
    }
}
