/* mail/queue/envelope_reader.h - a queue file's envelope: what qmgr, showq, postsuper and bounce need to know of a message.
 *
 * Strict for qmgr (ERR_CORRUPT with its log text: "missing end record", "invalid size record", ...). */
#ifndef MAIL_QUEUE_ENVELOPE_READER_H
#define MAIL_QUEUE_ENVELOPE_READER_H

#include "core/base/arena.h"
#include "mail/envelope/recipient.h"
#include "mail/queue/reader.h"

struct envelope {
    struct size_record size;
    int64_t arrival_us;         /* T */
    int64_t create_time;        /* seconds; falls back to T */
    int64_t warn_time;          /* W, seconds; 0: none; less: the warning has been sent */
    int64_t warn_offset;        /* of the W record's data */
    int64_t trace_offset;       /* of the trace_flags A record's type byte, for the K mark; 0 */
    slice sender, full_name, encoding, rewrite_context, envelope_id, verp, filter, inspect, redirect;
    int ret_flags, trace_flags, sendopts;
    bool has_sender, has_time;
    /* log_* when present, else the client_* of the same meaning */
    slice client_name, client_address, client_port, protocol_name, helo_name, log_ident;
    slice sasl_method, sasl_username, sasl_sender, message_id;
};

/* How far a bounded read of the recipients got. */
struct envelope_cursor {
    int64_t next_offset; /* 0: all read */
    int64_t counted;     /* R, D and / records seen so far */
    int64_t unread;      /* by the size record */
};

typedef bool envelope_recipient_fn(void *context, const struct recipient *r, bool done);

/* Reads the envelope from the start of FD: fills *OUT (texts in ARENA) and hands recipients to EACH (R, and D with done =
 * true), at most MOST of them (R only counts); *CURSOR tells where to go on.  EACH returning false stops with ERR_LIMIT. */
MUST_CHECK bool envelope_read(int fd, const char *path, struct arena *arena, size_t most, envelope_recipient_fn *each,
                              void *context, struct envelope *out, struct envelope_cursor *cursor, struct err *err);
/* The same for files that need not be complete or strict: without size record (maildrop), sender or end record; its first
 * damage ends the reading with success, and so does the start of the content when all recipients have been seen.  For
 * listings.  False: ERR_SYS, or ERR_LIMIT as above. */
MUST_CHECK bool envelope_read_loose(int fd, const char *path, struct arena *arena, size_t most, envelope_recipient_fn *each,
                                    void *context, struct envelope *out, struct envelope_cursor *cursor,
                                    struct err *err);
/* Goes on from CURSOR with up to MOST more. */
MUST_CHECK bool envelope_read_more(int fd, const char *path, struct arena *arena, size_t most,
                                   envelope_recipient_fn *each, void *context, struct envelope_cursor *cursor,
                                   struct err *err);

#endif
