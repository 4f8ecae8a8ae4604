/* deliver/smtp/connection.h - a server we talk to: connected, greeted, its extensions known.
 *
 * Owned by the task that uses it, or by the cache of idle ones (cache.h).  Depends on: core/io, mail/smtp. */
#ifndef DELIVER_SMTP_CONNECTION_H
#define DELIVER_SMTP_CONNECTION_H

#include "core/base/list.h"
#include "core/io/stream.h"
#include "deliver/smtp/destination.h"
#include "mail/smtp/reply.h"

/* What EHLO offered, and what we make use of. */
#define CONNECTION_FEATURES(F) \
    F(PIPELINING, "PIPELINING") F(8BITMIME, "8BITMIME") F(SIZE, "SIZE") F(DSN, "DSN") F(SMTPUTF8, "SMTPUTF8")
#define CONNECTION_FEATURE_NUMBER(name, keyword) FEATURE_NUMBER_##name,
#define CONNECTION_FEATURE_BIT(name, keyword) HAS_##name = 1 << FEATURE_NUMBER_##name,
enum { CONNECTION_FEATURES(CONNECTION_FEATURE_NUMBER) };
enum connection_features { CONNECTION_FEATURES(CONNECTION_FEATURE_BIT) };

struct connection {
    struct list idle; /* in the cache */
    struct stream *stream;
    const struct settings *settings;
    char *key;       /* the destination it was made for */
    char label[400]; /* "host[addr]" */
    char relay[420]; /* "host[addr]:port" */
    char host[256];
    char address[256]; /* "addr" */
    uint16_t port;     /* 0: a UNIX socket */
    unsigned features;
    int64_t size_limit;  /* with HAS_SIZE; 0: none told */
    unsigned uses;       /* messages sent before the current one */
    deadline grow_old;   /* connection_reuse_time_limit */
    struct timer expiry; /* while idle */
    bool broken;         /* not to be used again, nor worth a QUIT */
    bool said_quit;
    slice queue_id; /* of the message on it, for the log; on loan */
};

/* Connects and says EHLO (HELO when that is refused).  NULL: *WHY is the outcome, texts in ARENA; one that bounces is
 * about the mail and all servers, another about this server.  QUEUE_ID must live while the connection is used. */
MUST_CHECK struct connection *connection_open(const struct destination *d, const struct target *t,
                                              const struct settings *settings, slice queue_id, struct arena *arena,
                                              struct outcome *why);
/* Reads one reply; odd ones are told of in the log. */
MUST_CHECK bool connection_hear(struct connection *c, struct arena *arena, int64_t timeout_us, struct reply *reply,
                                struct err *err);
/* "LINE CRLF" and its reply. */
MUST_CHECK bool connection_ask(struct connection *c, slice line, int64_t timeout_us, struct arena *arena,
                               struct reply *reply, struct err *err);
/* Says QUIT unless broken; waits for the answer when the settings want it (suspends); closes. */
void connection_part(struct connection *c);
/* Closes at once, without suspending.  With BYE, sends QUIT without waiting for the answer. */
void connection_close(struct connection *c, bool bye);

/* Features in the text of a reply to EHLO, without those named in DISCARD ("pipelining, dsn").  *BAD_SIZE: what SIZE
 * had behind it that is no number, else empty.  Pure. */
unsigned connection_features(slice text, slice discard, int64_t *size_limit, slice *bad_size);

#endif
