/* receive/cleanup/message.h - one message on its way through cleanup. */
#ifndef RECEIVE_CLEANUP_MESSAGE_H
#define RECEIVE_CLEANUP_MESSAGE_H

#include "core/base/map.h"
#include "core/io/stream.h"
#include "mail/content/rewriter.h"
#include "mail/proto/cleanup.h"
#include "receive/cleanup/desk.h"
#include "receive/cleanup/output.h"

enum message_part { PART_ENVELOPE, PART_CONTENT, PART_EXTRACTED, PART_OVER };

struct message {
    struct desk *desk;
    struct stream *client;
    struct output output;
    struct arena arena; /* as long as the message */
    struct arena work;  /* as long as one record */
    deadline by;
    enum message_part part;

    int64_t flags;  /* enum cleanup_flags, from the client */
    int64_t status; /* enum cleanup_status */
    slice reason;

    int64_t arrival_seconds, arrival_us; /* T */
    bool has_sender, in_recipients, mixed, remote;
    slice sender, full_name, encoding, envelope_id;
    slice origin, protocol, helo; /* where it came from, for the log */
    struct buf last_recipient;
    int ret_flags, trace_flags;

    /* What stands before the next recipient. */
    struct buf orig_rcpt, original;
    bool has_orig_rcpt, has_original;
    int notify;

    struct map written; /* recipients, for duplicate_filter_limit */
    int64_t recipients, data_offset, extracted_offset, sendopts, notify_union;

    struct rewriter rewriter;
    bool rewriting;

    /* What content checks have asked for. */
    bool unchecked;  /* no more of them */
    bool disallowed; /* by message_reject_characters */
    slice filter, redirect;
    unsigned faults; /* bit per enum rewriter_fault */
    slice fault;     /* the first; counts when all has been seen */
    struct bcc {
        struct bcc *next;
        slice address;
    } * bccs, **bcc_end;
};

/* ---- message.c ---- */

/* What is wrong beyond what a bounce can tell: nothing more of the message is looked at. */
bool message_is_lost(const struct message *m);
/* Sets STATUS; with WHY, logs "ID: message rejected: WHY". */
void message_reject(struct message *m, int64_t status, const char *why);
/* A step failed: a full disk, a table that does not answer. */
void message_fail(struct message *m, const struct err *err);
/* Writes a record; a failure becomes the message's status. */
bool message_record(struct message *m, int type, slice data);
/* Writes RECORDS as they are, for which there is room. */
bool message_records(struct message *m, slice records);
bool message_recordf(struct message *m, int type, const char *format, ...) PRINTF_LIKE(3, 4);
/* 8-bit characters in an envelope address or a header, with autodetection on, ask for SMTPUTF8. */
enum { SENDOPT_REQUESTED = 1, SENDOPT_HEADER = 2, SENDOPT_SENDER = 4 };
void message_note_utf8(struct message *m, slice text, int64_t sendopt);

/* envelope.c */
void envelope_record(struct message *m, int type, slice data);
void extracted_record(struct message *m, int type, slice data);

/* recipient.c */
void recipient_take(struct message *m, slice address);
void recipient_forget(struct message *m); /* what stood before a recipient that is dropped */
void recipient_bcc(struct message *m, slice address);

/* checks.c.  The rewriter's hooks for header_checks and the like, and for strict_* parameters; CONTEXT is the message.
 */
void checks_log(const struct message *m, const char *action, const char *subject, slice text, bool client, slice note);
bool checks_wanted(const struct message *m);
enum rewriter_verdict checks_ask(void *context, enum rewriter_line line, struct rewriter_text *text, deadline by);
void checks_fault(void *context, enum rewriter_fault fault, slice text);

/* ---- characters.c ---- */
/* TEXT, or what is left of it in ROOM. */
slice characters_strip(const struct message *m, slice text, struct buf *room);
/* Rejects the message, once, when TEXT has what may not be there. */
void characters_check(struct message *m, slice text);

/* content.c */
void content_begin(struct message *m);
void content_record(struct message *m, int type, slice data);
/* Takes those of the records that are here which need not be looked at one by one. */
void content_plain(struct message *m);
void content_done(struct message *m);

/* finish.c.  After E, or when the rest was skipped: commits, bounces or removes.  Sets the final status. */
void message_finish(struct message *m);

/* A whole conversation on S; false: the client went away. */
bool session_run(struct desk *desk, struct stream *s, int64_t *status, struct err *err);

#endif
