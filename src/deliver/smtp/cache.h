/* deliver/smtp/cache.h - the idle connections of this process, used again for the next message to the same destination.
 *
 * A connection taken from here may have died unseen: whoever uses it must be ready to send the message over another
 * one, and may do so only as long as the server has not answered (transaction.h). */
#ifndef DELIVER_SMTP_CACHE_H
#define DELIVER_SMTP_CACHE_H

#include "deliver/smtp/connection.h"

/* An idle connection for KEY on which nothing has come in, or NULL. */
struct connection *cache_take(slice key);
/* Keeps C for connection_cache_time_limit, or parts with it: when it is broken, has been used
 * connection_reuse_count_limit times, or is older than connection_reuse_time_limit.  Suspends only to part. */
void cache_put(struct connection *c);
void cache_close_all(void);

#endif
