/* deliver/smtp/connection.h - a server we talk to: connected, greeted, its extensions known.
 *
 * Owned by the task that uses it, or by the cache of idle ones.  Depends on: core/io, mail/smtp. */
#ifndef DELIVER_SMTP_CONNECTION_H
#define DELIVER_SMTP_CONNECTION_H

#include "core/base/list.h"
#include "core/io/stream.h"
#include "deliver/smtp/destination.h"
#include "mail/smtp/reply.h"

enum { HAS_ESMTP = 1, HAS_PIPELINING = 2, HAS_8BITMIME = 4, HAS_SIZE = 8 };

struct connection {
    struct list idle;       /* in the cache */
    struct stream *stream;
    char *key;              /* the destination it was made for */
    char label[400];        /* "host[addr]" */
    char relay[420];        /* "host[addr]:port" */
    char host[256];
    unsigned features;
    int64_t size_limit;     /* with HAS_SIZE; 0: none told */
    unsigned uses;          /* messages sent before the current one */
    struct timer expiry;
    bool broken;            /* not to be used again */
};

/* How far a dialogue was when it ended, for "lost connection with X while ...". */
enum phase { PHASE_GREETING, PHASE_EHLO, PHASE_HELO, PHASE_MAIL, PHASE_RCPT, PHASE_DATA, PHASE_BODY, PHASE_DONE };

/* Connects and says EHLO (HELO when that is refused).  NULL: *WHY is the outcome, texts in ARENA; *REFUSED: the server itself
 * answered 4xx or 5xx. */
MUST_CHECK struct connection *connection_open(const struct destination *d, const struct target *t, struct params *params,
                                              struct arena *arena, struct outcome *why);
/* With BYE, sends QUIT without waiting for the answer. */
void connection_close(struct connection *c, bool bye);

/* ---- the cache of idle connections of this process ---- */
/* An idle connection for KEY that is still open, or NULL. */
struct connection *cache_take(slice key);
/* Keeps C for LIMIT_US, at most MOST of its destination; closes it otherwise. */
void cache_put(struct connection *c, int64_t limit_us);
void cache_close_all(void);

/* ---- outcomes ---- */
struct outcome outcome_lost(const struct connection *c, enum phase phase, const struct err *err, struct arena *arena);
/* "host X said: REPLY (in reply to COMMAND command)" */
struct outcome outcome_said(const struct connection *c, const struct reply *reply, const char *command, struct arena *arena);

#endif
