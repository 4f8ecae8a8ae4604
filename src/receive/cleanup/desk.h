/* receive/cleanup/desk.h - what all messages of one cleanup process share: settings, tables, the way to the rewriter.
 */
#ifndef RECEIVE_CLEANUP_DESK_H
#define RECEIVE_CLEANUP_DESK_H

#include "core/base/arena.h"
#include "core/net/endpoint.h"
#include "core/run/task.h"
#include "mail/content/rewriter.h"
#include "mail/params/params.h"
#include "mail/queue/commit.h"
#include "mail/queue/id.h"
#include "mail/table/table.h"

enum address_class {
    ADDRESS_ENVELOPE_SENDER = 1,
    ADDRESS_ENVELOPE_RECIPIENT = 2,
    ADDRESS_HEADER_SENDER = 4,
    ADDRESS_HEADER_RECIPIENT = 8,
};

/* A list of tables under its parameter's name, and which classes it is for. */
struct address_map {
    const char *name;
    struct tables *tables;
    unsigned classes;
    bool propagate_extension;
};

/* message_strip_characters, message_reject_characters. */
struct characters {
    bool any, has[256];
};

struct desk {
    const struct params *params;
    struct characters strip, reject;
    struct rewriter_rules rules;
    struct queue_layout layout;
    struct address_map sender_canonical, recipient_canonical, canonical, virtual_alias, sender_bcc, recipient_bcc;
    struct address_map checks[REWRITER_BODY + 1]; /* by enum rewriter_line; no classes */
    unsigned masquerade_classes;
    struct match_list *local_domains; /* mydestination */
    struct match_list *masquerade_exceptions;
    struct interface_address *interfaces;
    size_t interface_count;
    /* Rewrites external to external form: address_rewrite(), or a test's own. */
    bool (*rewrite)(void *context, slice rule, slice external, struct arena *arena, deadline by, slice *out,
                    struct err *err);
    void *rewrite_context;
    struct committer committer;
};

/* Before privileges are dropped.  WARNING gets lines for the log.  On failure nothing is left open. */
MUST_CHECK bool desk_open(struct desk *d, const struct params *p, struct buf *warning, struct err *err);
void desk_close(struct desk *d);
/* characters.c: LIST has C's escapes.  Pure. */
void characters_parse(slice list, struct characters *out);
/* Has a table changed?  Its name goes to NAME. */
bool desk_changed(struct desk *d, struct buf *name);
/* False: *ERR says that ADDRESS is longer than what is done with it allows. */
bool desk_too_long(slice address, struct err *err);
/* "local" rewriting of an internal address; *OUT in ARENA.  Empty stays empty. */
MUST_CHECK bool desk_rewrite_internal(const struct desk *d, slice internal, struct arena *arena, deadline by,
                                      slice *out, struct err *err);
/* The machine's own domain: myorigin, mydestination, a literal of an own address. */
bool desk_is_local(const struct desk *d, slice domain, deadline by);

#endif
