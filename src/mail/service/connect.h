/* mail/service/connect.h - connecting to another service of the mail system.
 *
 * Sockets are addressed relative to the queue directory, which is every daemon's working directory. */
#ifndef MAIL_SERVICE_CONNECT_H
#define MAIL_SERVICE_CONNECT_H

#include "core/ipc/attr.h"

/* "public" or "private" + service name.  Tries again every second until BY when nobody listens (ENOENT, ECONNREFUSED).
 * PROTOCOL: the hello to expect, or NULL when the caller reads it itself (cleanup, postdrop join it with more). */
MUST_CHECK struct stream *service_connect(const char *service_class, const char *service, const char *protocol, deadline by,
                                          struct err *err);

/* A small pool of idle connections to one service that takes many requests (rewrite, proxymap, anvil, verify).  A borrowed
 * stream is exclusively the task's.  Idle ones close after 5 s, all after 1000 s (ipc_idle, ipc_ttl). */
struct link_pool;
struct link_pool *link_pool_new(const char *service_class, const char *service, const char *protocol);
/* The same for a service that speaks plain lists, its hello included (anvil). */
struct link_pool *link_pool_new_as(enum ipc_encoding e, const char *service_class, const char *service,
                                   const char *protocol);
/* The same to somebody else, such as a policy server: how connections are made and how long they are good.  REQUESTS:
 * a connection ends after so many; 0: never. */
struct link_kind {
    struct stream *(*connect)(void *arg, deadline by, struct err *err); /* NULL: *ERR */
    void *arg;
    int64_t idle_us, age_us;
    unsigned requests;
};
struct link_pool *link_pool_of(const struct link_kind *kind);
void link_pool_free(struct link_pool *p);
MUST_CHECK struct stream *link_borrow(struct link_pool *p, deadline by, struct err *err);
/* REUSABLE: the exchange ended cleanly. */
void link_return(struct link_pool *p, struct stream *s, bool reusable);

/* One exchange over the pool: writes ASK, reads ANSWER; on a broken idle connection tries once more on a new one. */
MUST_CHECK bool link_call(struct link_pool *p, const struct ipc_shape *ask_shape, const void *ask,
                          const struct ipc_shape *answer_shape, void *answer, struct arena *arena, deadline by,
                          struct err *err);

/* Reads the one answer to a question just asked.  ERR_PEER: the other side closed without one. */
MUST_CHECK bool service_read_answer(enum ipc_encoding e, struct stream *s, const struct ipc_shape *shape, struct arena *arena,
                                    deadline by, void *answer, struct err *err);

#endif
