/* commands/postqueue/print.h - how the queue is shown: mailq's columns, and a JSON object a line. Pure but for stdout. */
#ifndef COMMANDS_POSTQUEUE_PRINT_H
#define COMMANDS_POSTQUEUE_PRINT_H

#include "core/base/buf.h"

struct queued_message {
    slice queue_name, queue_id, sender;
    int64_t time, size;
    bool forced_expire;
};

struct listing_total {
    long messages;
    int64_t bytes;
    bool long_ids;      /* the heading's and rows' form */
    struct buf reason;  /* the last one shown of this message */
    bool first_recipient;
};

void print_message(struct listing_total *t, const struct queued_message *m, struct buf *out);
void print_recipient(struct listing_total *t, slice address, slice reason, struct buf *out);
void print_end(const struct listing_total *t, struct buf *out);

void json_message(struct listing_total *t, const struct queued_message *m, struct buf *out);
void json_recipient(struct listing_total *t, slice address, slice reason, struct buf *out);
void json_message_end(struct buf *out);

#endif
