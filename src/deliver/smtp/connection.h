/* deliver/smtp/connection.h - a server we talk to: connected, greeted, its extensions known (connect.h does that).
 *
 * Owned by the task that uses it, or by the cache of idle ones (cache.h).  Depends on: core/io, mail/smtp. */
#ifndef DELIVER_SMTP_CONNECTION_H
#define DELIVER_SMTP_CONNECTION_H

#include "core/base/list.h"
#include "core/io/stream.h"
#include "deliver/smtp/destination.h"
#include "mail/content/transcript.h"
#include "mail/smtp/reply.h"

/* What EHLO offered, and what we make use of or may be told to leave alone. */
/* clang-format off */
#define CONNECTION_FEATURES(F)                                                                                        \
    F(8BITMIME) F(AUTH) F(ETRN) F(PIPELINING) F(SIZE) F(VERP) F(VRFY) F(XCLIENT) F(XFORWARD) F(STARTTLS)              \
    F(ENHANCEDSTATUSCODES) F(DSN) F(SMTPUTF8) F(CHUNKING)
/* clang-format on */
#define CONNECTION_FEATURE_NUMBER(name) FEATURE_NUMBER_##name,
#define CONNECTION_FEATURE_BIT(name) HAS_##name = 1 << FEATURE_NUMBER_##name,
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
    unsigned xforward;   /* what XFORWARD takes; xforward.h */
    unsigned pix;        /* bits of enum pix_workaround: pix.h */
    int64_t size_limit;  /* with HAS_SIZE; 0: none told */
    unsigned uses;       /* messages sent before the current one */
    deadline grow_old;   /* connection_reuse_time_limit */
    struct timer expiry; /* while idle */
    bool broken;         /* not to be used again, nor worth a QUIT */
    bool said_quit;
    struct transcript transcript; /* since the last message */
    slice queue_id; /* of the message on it, for the log; on loan */
};

/* The message for which a connection is made. */
struct errand {
    slice queue_id;      /* must live while the connection is used for it */
    int64_t age_us;      /* since it arrived */
    struct arena *arena; /* for texts */
};

/* Not connected yet: its stream is for connect.h to give. */
struct connection *connection_new(const struct destination *d, const struct target *t, const struct settings *settings,
                                  slice queue_id);
/* Reads one reply; odd ones are told of in the log.  ERR_TEMPORARY: smtp_reply_filter cannot be asked. */
MUST_CHECK bool connection_hear(struct connection *c, struct arena *arena, int64_t timeout_us, struct reply *reply,
                                struct err *err);
/* "LINE CRLF" and its reply. */
MUST_CHECK bool connection_ask(struct connection *c, slice line, int64_t timeout_us, struct arena *arena,
                               struct reply *reply, struct err *err);
/* What was said other than by connection_ask(), for the transcript: a line, with or without its end. */
void connection_note(struct connection *c, slice line);
/* The end of a message on this connection: the postmaster gets the transcript when the server broke the protocol. */
void connection_tell_postmaster(struct connection *c);
/* Says QUIT unless broken; waits for the answer when the settings want it (suspends); closes. */
void connection_part(struct connection *c);
/* Closes at once, without suspending.  With BYE, sends QUIT without waiting for the answer. */
void connection_close(struct connection *c, bool bye);

#endif
