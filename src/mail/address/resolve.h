/* mail/address/resolve.h - where does mail for an address go: transport, next hop, recipient, address class.
 *
 * The rules of trivial-rewrite(8), as a library, so that the daemon and whoever explains an address share them.  A resolver
 * holds the tables and lists of one configuration; opening them happens at start and does not suspend, asking may.
 * Source: ADDRESS_CLASS_README, transport(5), relocated(5), fact sheet ipc.md section 8.1; odd input tried on the field's
 * trivial-rewrite (oracle_cases.txt). */
#ifndef MAIL_ADDRESS_RESOLVE_H
#define MAIL_ADDRESS_RESOLVE_H

#include "core/base/arena.h"
#include "core/run/deadline.h"
#include "mail/address/client.h"
#include "mail/address/rewrite.h"
#include "mail/params/params.h"

struct resolver;

/* VERIFY: take the address_verify_* parameters, as for requests "verify".  WARNINGS gets lines for the log, each ended by a
 * newline (see tables_open).  NULL: a value that cannot be used at all, *ERR. P must outlive the resolver. */
struct resolver *resolver_new(struct params *p, bool verify, struct buf *warnings, struct err *err);
void resolver_free(struct resolver *r);
/* A table was changed: *NAME is which. */
bool resolver_changed(const struct resolver *r, struct buf *name);

/* Rules for context "local", else for "remote".  Live as long as the parameters. */
struct rewrite_rules resolver_rewrite_rules(const struct params *p, bool local);

/* Resolves ADDRESS (internal form) for SENDER (may be empty) into OUT, texts in ARENA.  Always fills OUT; false: a table or
 * list could not be asked, flags have RESOLVE_FAIL, *ERR says why, and *WHERE names the parameter (a literal). */
MUST_CHECK bool resolver_resolve(struct resolver *r, slice sender, slice address, struct arena *arena, deadline by,
                                 struct resolved *out, const char **where, struct err *err);

#endif
