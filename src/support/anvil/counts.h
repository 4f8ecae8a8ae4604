/* support/anvil/counts.h - counters by ident ("service:client address"), and the highest values since the last report.
 *
 * An ident's rates start over when its first event is older than the time unit.  Nothing suspends. */
#ifndef SUPPORT_ANVIL_COUNTS_H
#define SUPPORT_ANVIL_COUNTS_H

#include "core/base/buf.h"
#include "core/base/list.h"
#include "core/base/map.h"

enum count_kind { COUNT_CONNECT, COUNT_MESSAGE, COUNT_RECIPIENT, COUNT_NEWTLS, COUNT_AUTH, COUNT_KINDS };

struct client_counts {
    int64_t since_us;          /* when the rates began */
    unsigned open;             /* connections now */
    unsigned rates[COUNT_KINDS];
};

struct highest {
    unsigned value;
    int64_t at_us;             /* wall clock */
    char ident[256];
};

struct counts {
    struct map by_ident;       /* struct client_counts */
    int64_t unit_us;
    struct highest rates[COUNT_KINDS], open;
    struct highest size;       /* idents at once; ident unused */
};

void counts_init(struct counts *c, int64_t unit_us);
void counts_done(struct counts *c);

/* The client's counters, rates started over when due; made when missing.  Valid until counts_prune(). */
struct client_counts *counts_of(struct counts *c, slice ident);
/* NULL: nothing is known of IDENT. */
const struct client_counts *counts_find(struct counts *c, slice ident);
/* One event more.  Returns the rate including it. */
unsigned counts_event(struct counts *c, slice ident, enum count_kind kind);
/* A connection more (also a COUNT_CONNECT event) and one less. */
void counts_connect(struct counts *c, slice ident);
void counts_disconnect(struct counts *c, slice ident);
/* Forgets clients without connections whose time unit is over. */
void counts_prune(struct counts *c);

/* One line per highest value, through SAY, and starts over.  UNIT_TEXT: "60s". */
void counts_report(struct counts *c, void (*say)(const char *line));

#endif
