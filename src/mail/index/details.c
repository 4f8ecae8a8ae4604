#include "mail/index/details.h"

#include <stdlib.h>

#include "core/base/bug.h"

static slice local_of(slice address, slice *domain, bool *has_domain)
{
    size_t at = slice_find_last(address, '@');

    *has_domain = at != SLICE_NONE;
    *domain = *has_domain ? slice_skip(address, at + 1) : (slice){0};
    return slice_head(address, at);
}

static struct interned *domain_of(struct interned_set *set, slice address, slice *local)
{
    bool has_domain;
    slice domain;

    *local = local_of(address, &domain, &has_domain);
    return has_domain ? interned_use(set, domain) : NULL;
}

/* Is an earlier recipient of D at the same domain? */
static bool is_mentioned(const struct details *d, size_t place)
{
    for (size_t i = 0; i < place; i++)
        if (d->mentions[i].domain == d->mentions[place].domain)
            return true;
    return false;
}

static void mention(struct interned_set *set, struct details *d, uint32_t place, const struct shown_recipient *r,
                    slice *local)
{
    struct mention *m = &d->mentions[place];

    *m = (struct mention){
        .domain = domain_of(set, r->address, local),
        .reason = r->reason.n == 0 ? NULL : interned_use(set, r->reason),
        .local_bytes = (uint32_t)local->n,
        .place = place,
    };
    list_init(&m->same_domain);
    if (m->domain != NULL && !is_mentioned(d, place))
        list_push_back(&m->domain->mentions, &m->same_domain);
}

/* Of the local parts; *SHOWN of all. */
static size_t bytes_of(const struct shown *m, size_t *shown)
{
    slice domain;
    bool has_domain;
    size_t bytes = local_of(m->sender, &domain, &has_domain).n;

    *shown = m->sender.n;
    for (size_t i = 0; i < m->count; i++) {
        bytes += local_of(m->recipients[i].address, &domain, &has_domain).n;
        *shown += m->recipients[i].address.n + m->recipients[i].reason.n;
    }
    return bytes;
}

static char *append(char *at, slice text)
{
    if (text.n > 0)
        memcpy(at, text.p, text.n);
    return at + text.n;
}

struct details *details_new(struct interned_set *set, const struct shown *m, struct index_entry *entry)
{
    size_t shown, bytes = bytes_of(m, &shown);
    struct details *d;
    slice local;
    char *text;

    if (m->count > DETAILS_MOST_RECIPIENTS || shown > DETAILS_MOST_BYTES)
        return NULL;
    d = xmalloc(sizeof *d + m->count * sizeof *d->mentions + bytes);
    *d = (struct details){entry, m->arrival_s,      m->message_bytes, domain_of(set, m->sender, &local),
                          0,     (uint32_t)m->count};
    d->sender_bytes = (uint32_t)local.n;
    text = append((char *)(d->mentions + m->count), local);
    for (uint32_t i = 0; i < d->count; i++) {
        mention(set, d, i, &m->recipients[i], &local);
        text = append(text, local);
    }
    return d;
}

void details_free(struct interned_set *set, struct details *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->count; i++)
        list_remove(&d->mentions[i].same_domain);
    for (size_t i = 0; i < d->count; i++) {
        interned_leave(set, d->mentions[i].domain);
        interned_leave(set, d->mentions[i].reason);
    }
    interned_leave(set, d->sender_domain);
    free(d);
}

bool details_is_address(slice address, slice local, const struct interned *domain)
{
    slice its_domain;
    bool has_domain;
    slice its_local = local_of(address, &its_domain, &has_domain);

    return has_domain == (domain != NULL) && slice_eq(its_local, local) &&
           (!has_domain || slice_eq_case(its_domain, interned_text(domain)));
}
