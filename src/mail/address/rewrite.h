/* mail/address/rewrite.h - address rewriting to standard form, by rules alone.  Pure: no tables, no I/O.
 *
 * In this order: a source route goes (@a,@b:user@site), site!user becomes user@site, the last % of user%site becomes @,
 * "@ORIGIN" is appended to an address without domain, ".DOMAIN" to a domain without dot, and one trailing dot goes.
 * Used by trivial-rewrite(8) and by whoever explains what it would do.  Source: ADDRESS_REWRITING_README; odd input tried on
 * the field's trivial-rewrite (oracle_cases.txt). */
#ifndef MAIL_ADDRESS_REWRITE_H
#define MAIL_ADDRESS_REWRITE_H

#include "core/base/buf.h"

struct rewrite_rules {
    bool swap_bangpath;      /* swap_bangpath */
    bool percent_hack;       /* allow_percent_hack */
    bool append_origin;      /* append_at_myorigin */
    bool append_domain;      /* append_dot_mydomain */
    slice origin;            /* $myorigin, or $remote_header_rewrite_domain; empty: never appended */
    slice domain;            /* $mydomain, or $remote_header_rewrite_domain; empty: never appended */
};

/* Rewrites EXTERNAL (quoted form) into OUT (cleared first), external form again.  Empty stays empty.  False: OUT's maximum. */
MUST_CHECK bool rewrite_external(const struct rewrite_rules *rules, slice external, struct buf *out);

/* For the resolver: the domain of an internal address, as text: read as tokens, blanks and quotes gone, one trailing dot
 * stripped and, with RULES (or NULL), ".DOMAIN" appended where it has no dot.  Appends to OUT. */
void rewrite_domain(const struct rewrite_rules *rules, slice domain, struct buf *out);
/* Likewise a source route, "@a, @b:". */
void rewrite_route(slice route, struct buf *out);

#endif
