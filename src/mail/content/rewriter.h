/* mail/content/rewriter.h - a message's content on its way into the queue: text records in, text records out.
 *
 * Headers are gathered (folded lines, header_size_limit), those of MIME parts too.  The message's own are rewritten
 * where their addresses change, dropped or completed; the body passes with stray CR and LF replaced and long records
 * split.  What an address becomes, content checks, and everything that is to be logged, goes through hooks.  The forms
 * and the order of added headers are those of the field's cleanup(8).
 *
 * The rewriter owns its buffers, about a header's worth (rewriter_done).  It suspends only inside hooks.address and
 * hooks.check.
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
    uint64_t drop_kinds;    /* bit per enum header_kind */
    const char *drop_names; /* message_drop_headers, for names that are no kind */
    size_t header_most_bytes, line_most_bytes;
    bool obsolete_from; /* header_from_format = obsolete */
};
/* ERR_CONFIG: header_from_format. */
MUST_CHECK bool rewriter_rules_init(struct rewriter_rules *r, const struct params *p, struct err *err);

enum rewriter_address { REWRITER_SENDER, REWRITER_RECIPIENT };

/* What content checks are asked about. */
enum rewriter_line {
    REWRITER_HEADER,        /* of the message itself */
    REWRITER_MIME_HEADER,   /* Content-Type and its like, and all headers of a MIME part */
    REWRITER_NESTED_HEADER, /* of a message in a part */
    REWRITER_BODY,          /* a line, or a record's worth of one */
};
enum rewriter_verdict { REWRITER_KEEP, REWRITER_DROP, REWRITER_STOP };
/* A header is folded by LF; not empty. */
struct rewriter_text {
    slice text;   /* may be replaced, a header by a header */
    slice before; /* may be set: a line that goes before it, not looked at any more */
};

/* What strict_* parameters object to. */
enum rewriter_fault { REWRITER_8BIT_HEADER, REWRITER_8BIT_BODY, REWRITER_ENCODED_PARTS };

struct rewriter_hooks {
    void *context;
    /* One record for the queue file.  False: it cannot be written; rewriting ends. */
    bool (*emit)(void *context, int type, slice data);
    /* Rewrites EXTERNAL; *OUT (external too) in ARENA, or EXTERNAL itself.  False: give up, *ERR. */
    bool (*address)(void *context, enum rewriter_address role, slice external, struct arena *arena, deadline by,
                    slice *out, struct err *err);
    /* A message id was seen or made; "<>" when there is none at all. */
    void (*message_id)(void *context, slice id, bool resent);
    /* The message is not acceptable: bits of enum cleanup_status, and "hopcount exceeded".  False: no more of it is
     * wanted. */
    bool (*reject)(void *context, int64_t status, const char *why);
    /* Content checks.  What is put into *TEXT lives until the next call.  REWRITER_STOP: no more is wanted.  NULL:
     * none. */
    enum rewriter_verdict (*check)(void *context, enum rewriter_line line, struct rewriter_text *text, deadline by);
    /* TEXT is at fault.  NULL: strict_* parameters do not count. */
    void (*fault)(void *context, enum rewriter_fault fault, slice text);
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
    uint64_t seen; /* bit per enum header_kind */
    unsigned received;
    int64_t segment_bytes; /* of the body between headers or boundaries, for body_checks_size_limit */
    bool line_open;        /* the last record was unterminated */
    bool resent, any_message_id;
};

void rewriter_init(struct rewriter *w, const struct rewriter_rules *rules, const struct rewriter_hooks *hooks,
                   const struct rewriter_facts *facts);
void rewriter_done(struct rewriter *w);

/* One N or L record's text.  False with err->kind ERR_NONE: a hook wants no more of this message. */
MUST_CHECK bool rewriter_text(struct rewriter *w, int type, slice text, deadline by, struct err *err);
/* Those of the RECORDS, whole ones as they come, that rewriter_text() would emit one by one and unchanged: lines of the body in
 * which nothing is looked for.  The caller puts them where hooks.emit would.  Not for those who check bodies. */
slice rewriter_plain(const struct rewriter *w, slice records);
/* The content is over (X). */
MUST_CHECK bool rewriter_end(struct rewriter *w, deadline by, struct err *err);

#endif
