/* mail/address/client.h - asking trivial-rewrite(8): rewriting and resolving addresses.
 *
 * Keeps a small pool of connections and a small cache of recent answers (30 s).  On trouble it tries again every second
 * until BY.  Depends on: mail/proto, mail/service. */
#ifndef MAIL_ADDRESS_CLIENT_H
#define MAIL_ADDRESS_CLIENT_H

#include "core/base/arena.h"
#include "core/run/task.h"
#include "mail/proto/rewrite.h"

struct address_client;
struct address_client *address_client_new(void);
void address_client_free(struct address_client *c);

/* Rewrites EXTERNAL (quoted form) in CONTEXT "local" or "remote"; *OUT external form, in ARENA. */
MUST_CHECK bool address_rewrite(struct address_client *c, slice context, slice external, struct arena *arena, deadline by,
                                slice *out, struct err *err);
/* The same for internal forms at both ends. */
MUST_CHECK bool address_rewrite_internal(struct address_client *c, slice context, slice internal, struct arena *arena,
                                         deadline by, slice *out, struct err *err);

struct resolved {
    slice transport, nexthop, recipient; /* internal form; in ARENA */
    int64_t flags;                       /* enum resolve_flags */
};
/* SENDER may be empty.  RESOLVE_FAIL in flags: trivial-rewrite could not tell (temporary). */
MUST_CHECK bool address_resolve(struct address_client *c, slice sender, slice internal, struct arena *arena, deadline by,
                                struct resolved *out, struct err *err);
/* The way of verify(8)'s probes, which the address_verify_* parameters may make another one. */
MUST_CHECK bool address_resolve_probe(struct address_client *c, slice sender, slice internal, struct arena *arena, deadline by,
                                      struct resolved *out, struct err *err);

#endif
