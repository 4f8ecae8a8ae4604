/* mail/proto/showq.h - the queue listing of showq(8): ipc.md section 8.9.
 *
 * Server: hello; per message one list with these fields, then per recipient recipient= and reason=, then the list's end (so a
 * message is one list with repeated pairs: written and read field by field); an empty list ends all. */
#ifndef MAIL_PROTO_SHOWQ_H
#define MAIL_PROTO_SHOWQ_H

#include "core/ipc/message.h"

#define SHOWQ_SERVICE "showq"
#define SHOWQ_PROTOCOL "mail_queue_list_protocol"

#endif
