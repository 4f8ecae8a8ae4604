/* mail/index/details.h - what a listing shows of a message, as small as it can be kept for very many of them.
 *
 * Domains and reasons are shared (interned.h), local parts are not.  A message of many recipients or long addresses is
 * not kept: details_new() returns NULL, and it is read from its file when somebody asks.  Depends on: shown.h,
 * interned.h. */
#ifndef MAIL_INDEX_DETAILS_H
#define MAIL_INDEX_DETAILS_H

#include "mail/index/interned.h"
#include "mail/index/shown.h"

enum { DETAILS_MOST_RECIPIENTS = 100, DETAILS_MOST_BYTES = 64000 /* of all that is shown */ };

struct index_entry;

/* A recipient.  The first one of each domain in a message is in the domain's list. */
struct mention {
    struct list same_domain;
    struct interned *domain; /* NULL: an address without one */
    struct interned *reason; /* NULL: none */
    uint32_t local_bytes;
    uint32_t place; /* in mentions */
};

struct details {
    struct index_entry *entry;
    int64_t arrival_s, message_bytes;
    struct interned *sender_domain; /* NULL: an address without one */
    uint32_t sender_bytes;          /* of its local part */
    uint32_t count;
    struct mention mentions[]; /* then the local parts: the sender's, each recipient's */
};

/* NULL: too much to keep.  Owned by the caller; details_free() with the same SET. */
struct details *details_new(struct interned_set *set, const struct shown *m, struct index_entry *entry);
/* Harmless on NULL. */
void details_free(struct interned_set *set, struct details *d);

/* The message that has the mention M. */
static inline struct details *details_of(struct mention *m)
{
    return (struct details *)((char *)(m - m->place) - offsetof(struct details, mentions));
}

/* The sender's local part; those of the recipients follow it. */
static inline slice details_sender(const struct details *d)
{
    return (slice){(const char *)(d->mentions + d->count), d->sender_bytes};
}

/* Does ADDRESS equal LOCAL@DOMAIN, but for case behind its last @? */
bool details_is_address(slice address, slice local, const struct interned *domain);

#endif
