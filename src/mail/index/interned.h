/* mail/index/interned.h - texts that many messages share, each kept once: domains, and reasons why mail waits.
 *
 * A text lives as long as it has users.  Texts differ when a byte differs; domains are found in whatever case.
 * Owns all its memory; cannot fail.  Depends on: core/base. */
#ifndef MAIL_INDEX_INTERNED_H
#define MAIL_INDEX_INTERNED_H

#include "core/base/list.h"
#include "core/base/slice.h"

struct interned {
    struct interned *next; /* in its bucket */
    struct list mentions;  /* of a domain: the index's, struct mention */
    uint32_t users, hash, bytes;
    char text[];
};

struct interned_set {
    struct interned **buckets;
    size_t count, bucket_count;
};

/* A zeroed set is empty.  Its texts must have no users left. */
void interned_done(struct interned_set *set);

/* TEXT, with one user more. */
struct interned *interned_use(struct interned_set *set, slice text);
/* One user more of a text that has one. */
struct interned *interned_share(struct interned *text);
/* One user less; the last takes it away.  Harmless on NULL. */
void interned_leave(struct interned_set *set, struct interned *text);

/* A text that is DOMAIN but for case, after AFTER (NULL: the first one); NULL: none. */
struct interned *interned_domain(const struct interned_set *set, slice domain, const struct interned *after);

static inline slice interned_text(const struct interned *text)
{
    return (slice){text->text, text->bytes};
}

#endif
