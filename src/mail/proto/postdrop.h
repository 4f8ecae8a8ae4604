/* mail/proto/postdrop.h - sendmail(1) and postdrop(1) over a socket pair: ipc.md section 8.15.  Blocking on both sides. */
#ifndef MAIL_PROTO_POSTDROP_H
#define MAIL_PROTO_POSTDROP_H

#include "core/ipc/message.h"

#define POSTDROP_PROTOCOL "postdrop_protocol"
#define POSTDROP_HELLO_FIELDS(F) F(text, protocol) F(text, queue_id)
#define POSTDROP_ANSWER_FIELDS(F) F(number, status) F(text, reason)
IPC_MESSAGE(postdrop_hello, POSTDROP_HELLO_FIELDS)
IPC_MESSAGE(postdrop_answer, POSTDROP_ANSWER_FIELDS)

#endif
