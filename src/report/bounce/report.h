/* report/bounce/report.h - one report: what is known of the message and what became of its recipients. */
#ifndef REPORT_BOUNCE_REPORT_H
#define REPORT_BOUNCE_REPORT_H

#include "core/run/deadline.h"
#include "mail/content/submit.h"
#include "mail/proto/status.h"
#include "mail/queue/bounce_log.h"
#include "mail/queue/envelope_reader.h"
#include "report/bounce/template.h"

enum {
    REPORT_MEMORY_BYTES = 64 * 1024 * 1024, /* for one request */
    LOG_MOST_BYTES = 32 * 1024 * 1024,
};

/* What all requests of the process share. */
struct desk {
    struct params *params;
    const char *service; /* "bounce", "defer", "trace": also the logs' folder */
    struct queue_layout layout;
    struct templates templates;
    struct buf template_text;
};

struct report {
    const struct desk *desk;
    enum template_kind kind;
    slice queue_name, queue_id, encoding, sender, envelope_id;
    int64_t smtputf8, ret_flags;

    struct bounce_entry *entries; /* in ARENA */
    size_t count, cap;
    struct arena *arena;

    int fd; /* the queue file, or -1 */
    char path[QUEUE_PATH_MOST];
    struct envelope envelope; /* when has_envelope */
    bool has_envelope;
    int64_t boundary_time;
};

/* Opens the message's file and reads what the report says of it; a damaged or missing file leaves has_envelope false: the
 * report then goes without.  False: it cannot be had now; a report that lacks it had better be sent later. */
MUST_CHECK bool report_open(struct report *r, struct err *err);
void report_close(struct report *r);
/* Reads the service's log of the message; TEXT keeps the bytes that entries point to.  ERR_NOT_FOUND: there is none. */
MUST_CHECK bool report_read_log(struct report *r, struct buf *text, struct err *err);
/* Adds one entry; texts are borrowed. */
void report_add(struct report *r, const struct bounce_entry *e);

/* Who reads it: the sender, a postmaster beside the sender (headers only, all recipients), or the postmaster in place of a sender
 * that must not be written to. */
enum audience { FOR_SENDER, FOR_POSTMASTER, FOR_POSTMASTER_ALONE };

/* Is E, by its NOTIFY, to be told to A? */
bool report_tells(const struct report *r, enum audience a, const struct bounce_entry *e);

/* Writes headers and body of the notice to A into S, which submit_notice() began.  Entries from FROM on, COUNT of them. */
MUST_CHECK bool report_write(struct report *r, enum audience a, slice to, size_t from, size_t count, struct submission *s,
                             deadline by, struct err *err);

/* Tells everybody who is to be told.  False: *ERR; the log must stay. */
MUST_CHECK bool report_post(struct report *r, deadline by, struct err *err);
/* The same, one notice for each recipient, to an address with DELIMITERS and the recipient in it. */
MUST_CHECK bool report_post_verp(struct report *r, slice delimiters, deadline by, struct err *err);

#endif
