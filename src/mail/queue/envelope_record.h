/* mail/queue/envelope_record.h - what one record of an envelope means.  For envelope_reader.c alone. */
#ifndef MAIL_QUEUE_ENVELOPE_RECORD_H
#define MAIL_QUEUE_ENVELOPE_RECORD_H

#include "mail/queue/envelope_reader.h"

/* Where the reading stands.  Recipients past the limit are not handed out, but other records are still looked at as far
 * as the size record's flags say that there may be some. */
enum segment {
    IN_ENVELOPE,
    IN_CONTENT,
    AT_EXTRACTED, /* where the size record says that the X record is */
    IN_EXTRACTED,
    RESUMED /* in the first or the last, not known which */
};

enum { CLIENT_TEXTS = 5 };

struct walk {
    const char *path;
    struct queue_reader *reader;
    struct arena *arena;
    struct envelope *e;
    struct envelope_cursor cursor;
    size_t most, handed;
    envelope_recipient_fn *each;
    void *context;
    struct err *err;
    enum segment segment;
    bool strict, full, has_size, has_create_time, ended;
    int64_t resume;           /* after the last recipient that was handed out */
    struct recipient pending; /* what came before the R record */
    slice client[CLIENT_TEXTS], log_client[CLIENT_TEXTS]; /* name, address, port, protocol, HELO name */
};

/* Takes what the record at OFFSET, of an envelope segment, says.  False: *W->err. */
MUST_CHECK bool walk_take(struct walk *w, int type, slice data, int64_t offset);
/* R, D and canceled ones. */
bool record_starts_recipient(int type);
/* Sets *W->err to ERR_CORRUPT with WHAT; returns false. */
bool walk_corrupt(struct walk *w, const char *what);

#endif
