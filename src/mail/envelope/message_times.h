/* mail/envelope/message_times.h - the points in time behind "delay=" and "delays=a/b/c/d", and their 88 wire bytes. */
#ifndef MAIL_ENVELOPE_MESSAGE_TIMES_H
#define MAIL_ENVELOPE_MESSAGE_TIMES_H

#include "core/base/buf.h"

struct message_times {
    int64_t arrival_us;        /* incoming: T record */
    int64_t active_us;         /* qmgr took it */
    int64_t agent_us;          /* handed to the agent */
    int64_t connected_us;      /* connection set up; 0: not yet */
    int64_t delivered_us;      /* 0: not yet */
    int connection_reuses;
};

enum { MESSAGE_TIMES_BYTES = 88 };
/* Five native struct timeval, int reuse count, 4 bytes pad.  Fact sheet ipc.md 8.3. */
void message_times_encode(const struct message_times *t, char to[MESSAGE_TIMES_BYTES]);
bool message_times_decode(slice bytes, struct message_times *out);

/* "delay=0.07, delays=0.03/0.03/0/0": at most 2 significant digits below 100 s, RESOLUTION_DIGITS decimals. NOW ends it. */
bool message_times_print(const struct message_times *t, int64_t now_us, int resolution_digits, struct buf *out);

#endif
