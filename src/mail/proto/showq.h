/* mail/proto/showq.h - the queue listing of showq(8): ipc.md section 8.9.
 *
 * Server: hello; per message one list with these fields, then per recipient recipient= and reason=, then the list's end
 * (so a message is one list with repeated pairs: put together here, read field by field); an empty list ends all. */
#ifndef MAIL_PROTO_SHOWQ_H
#define MAIL_PROTO_SHOWQ_H

#include "core/ipc/message.h"

#define SHOWQ_SERVICE "showq"
#define SHOWQ_PROTOCOL "mail_queue_list_protocol"

struct showq_message {
    slice queue_name, queue_id;
    int64_t time, size;
    bool forced_expire;
};

/* An address: LOCAL alone, or with HAS_DOMAIN LOCAL@DOMAIN.  An empty one is shown as IF_EMPTY. */
struct showq_address {
    slice local, domain;
    bool has_domain;
    slice if_empty;
};

/* A message is showq_add_message, showq_add_recipient any number of times, showq_add_end.  Texts must have no NUL
 * inside. What OUT cannot hold sets its overflow. */
void showq_add_message(struct buf *out, const struct showq_message *m, const struct showq_address *sender);
void showq_add_recipient(struct buf *out, const struct showq_address *recipient, slice reason);
void showq_add_end(struct buf *out);

#endif
