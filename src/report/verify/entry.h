/* report/verify/entry.h - what is known of one address: "status:probed:updated:reason", and how long it is believed.
 *
 * PROBED is 0 when no probe is on its way; UPDATED is 0 while the first one is.  Pure. */
#ifndef REPORT_VERIFY_ENTRY_H
#define REPORT_VERIFY_ENTRY_H

#include "core/base/buf.h"
#include "mail/params/params.h"
#include "mail/proto/verify.h"

struct entry {
    int status; /* enum verify_status */
    int64_t probed, updated; /* seconds since 1970 */
    slice reason;
};

/* The limits, in seconds. */
struct entry_limits {
    int64_t positive_expire, positive_refresh, negative_expire, negative_refresh;
};
struct entry_limits entry_limits_from(const struct params *p);

/* REASON points into TEXT.  False, and *OUT as it was: TEXT is nothing of the kind. */
bool entry_parse(slice text, struct entry *out);
bool entry_print(const struct entry *e, struct buf *out);

/* What an address about which nothing is known has. */
struct entry entry_unknown(void);
/* Does it still count?  Not when it has expired, unless a probe is on its way, for which that is given 1000 s. */
bool entry_counts(const struct entry *e, const struct entry_limits *l, int64_t now);
/* Somebody asks: is a probe wanted? */
bool entry_wants_probe(const struct entry *e, const struct entry_limits *l, int64_t now);

#endif
