/* mail/content/rewriter.h - a message's content on its way into the queue: text records in, text records out.
 *
 * Headers are gathered (folded lines, header_size_limit), rewritten where their addresses change, dropped or completed; the
 * body passes with stray CR and LF replaced and long records split.  What an address becomes, and everything that is to be
 * logged, goes through hooks.  The forms and the order of added headers are those of the field's cleanup(8).
 *
 * The rewriter owns its buffers, about a header's worth (rewriter_done).  It suspends only inside hooks.address.
 * Depends on: mail/syntax, mail/proto (status bits), mail/queue/record.h. */
#ifndef MAIL_CONTENT_REWRITER_H
#define MAIL_CONTENT_REWRITER_H

#include "core/base/arena.h"
#include "core/run/deadline.h"
#include "mail/content/mime.h"
#include "mail/params/params.h"

/* What is the same for all messages.  Owns its name list. */
struct rewriter_rules {
    const struct params *params;
    uint64_t drop_kinds;     /* bit per enum header_kind */
    const char *drop_names;  /* message_drop_headers, for names that are no kind */
    size_t header_most_bytes, line_most_bytes;
    bool obsolete_from;      /* header_from_format = obsolete */
};
/* ERR_CONFIG: header_from_format. */
MUST_CHECK bool rewriter_rules_init(struct rewriter_rules *r, const struct params *p, struct err *err);

enum rewriter_address { REWRITER_SENDER, REWRITER_RECIPIENT };

struct rewriter_hooks {
    void *context;
    /* One record for the queue file.  False: it cannot be written; rewriting ends. */
    bool (*emit)(void *context, int type, slice data);
    /* Rewrites EXTERNAL; *OUT (external too) in ARENA, or EXTERNAL itself.  False: give up, *ERR. */
    bool (*address)(void *context, enum rewriter_address role, slice external, struct arena *arena, deadline by,
                    slice *out, struct err *err);
    /* A message id was seen or made; empty when there is none. */
    void (*message_id)(void *context, slice id, bool resent);
    /* The message is not acceptable: bits of enum cleanup_status, and "hopcount exceeded".  The rewriter goes on when it
     * is fed more. */
    void (*reject)(void *context, int64_t status, const char *why);
    /* For content checks.  Called with each complete header (folded, LF inside) and each body line before it is emitted;
     * false drops it.  NULL: none. */
    bool (*check_header)(void *context, enum header_kind kind, slice header);
    bool (*check_body)(void *context, slice line);
};

/* What is known of the message when its content begins.  Texts must outlive the rewriter. */
struct rewriter_facts {
    slice queue_id, sender, full_name; /* sender: internal form */
    int64_t arrival_seconds;
    bool rewrite;  /* headers' addresses */
    bool complete; /* add what is missing */
};

struct rewriter {
    const struct rewriter_rules *rules;
    struct rewriter_hooks hooks;
    struct rewriter_facts facts;
    struct buf header, scratch;
    struct mime mime;
    uint64_t seen;           /* bit per enum header_kind */
    unsigned received;
    bool in_body, line_open; /* line_open: the last record was unterminated */
    bool resent, any_message_id;
};

void rewriter_init(struct rewriter *w, const struct rewriter_rules *rules, const struct rewriter_hooks *hooks,
                   const struct rewriter_facts *facts);
void rewriter_done(struct rewriter *w);

/* One N or L record's text.  False with err->kind ERR_NONE: a hook wants no more. */
MUST_CHECK bool rewriter_text(struct rewriter *w, int type, slice text, deadline by, struct err *err);
/* The content is over (X). */
MUST_CHECK bool rewriter_end(struct rewriter *w, deadline by, struct err *err);

#endif
