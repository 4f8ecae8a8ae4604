/* receive/cleanup/maps.h - what tables say about an address: canonical form, masquerade, virtual aliases, bcc.
 *
 * Addresses are internal, results live in ARENA.  All functions may suspend and log under the queue id ID what an
 * administrator must see.  canonical(5), virtual(5), ADDRESS_REWRITING_README's facts. */
#ifndef RECEIVE_CLEANUP_MAPS_H
#define RECEIVE_CLEANUP_MAPS_H

#include "receive/cleanup/desk.h"

/* Logs why a look-up of KEY has failed. */
void maps_log_failure(const struct tables *t, slice key, const struct err *err);

/* Canonical maps and masquerade domains for CLASS.  False: a table cannot answer now (logged). */
MUST_CHECK bool maps_canonical(const struct desk *d, const char *id, enum address_class class, slice address,
                               struct arena *arena, deadline by, slice *out, struct err *err);

struct address_entry {
    slice address;
    int depth;
    bool final;
};
struct address_entries {
    struct address_entry *items;
    size_t count, room;
};
enum expand_got {
    EXPAND_SAME,         /* no alias: ENTRIES has ADDRESS alone */
    EXPAND_DONE,         /* it became ENTRIES */
    EXPAND_UNREASONABLE, /* too deep, too many, too long; logged */
    EXPAND_FAILED,       /* a table cannot answer now; logged */
};
MUST_CHECK enum expand_got maps_expand(const struct desk *d, const char *id, slice address, struct arena *arena,
                                       deadline by, struct address_entries *entries, struct err *err);

/* The bcc address of ADDRESS, the table's whole value as it is; *OUT empty: none.  False: a table cannot answer now
 * (logged). */
MUST_CHECK bool maps_bcc(const struct desk *d, const char *id, const struct address_map *m, slice address,
                         struct arena *arena, deadline by, slice *out, struct err *err);

#endif
