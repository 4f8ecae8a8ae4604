/* mail/proto/cleanup.h - handing a message to cleanup(8): ipc.md section 8.2.
 *
 * Server: one list protocol=cleanup_protocol, queue_id=ID.  Client: flags=N, then queue-file records up to E.
 * Server: status, reason. */
#ifndef MAIL_PROTO_CLEANUP_H
#define MAIL_PROTO_CLEANUP_H

#include "core/ipc/message.h"

#define CLEANUP_PROTOCOL "cleanup_protocol"

#define CLEANUP_HELLO_FIELDS(F) F(text, protocol) F(text, queue_id)
#define CLEANUP_ASK_FIELDS(F) F(number, flags)
#define CLEANUP_ANSWER_FIELDS(F) F(number, status) F(text, reason)
IPC_MESSAGE(cleanup_hello, CLEANUP_HELLO_FIELDS)
IPC_MESSAGE(cleanup_ask, CLEANUP_ASK_FIELDS)
IPC_MESSAGE(cleanup_answer, CLEANUP_ANSWER_FIELDS)

enum cleanup_flags {
    CLEANUP_BOUNCE = 1, CLEANUP_FILTER = 2, CLEANUP_HOLD = 4, CLEANUP_DISCARD = 8, CLEANUP_BCC_OK = 16, CLEANUP_MAP_OK = 32,
    CLEANUP_MILTER = 64, CLEANUP_SMTP_REPLY = 128, CLEANUP_SMTPUTF8 = 256, CLEANUP_AUTOUTF8 = 512,
};
/* What submitters send. */
enum { CLEANUP_FROM_PICKUP = 627, CLEANUP_FROM_SMTPD = 178, CLEANUP_FROM_FORWARD = 33, CLEANUP_FROM_NOTICE = 32 };

/* receive_override_options: what whoever receives a message leaves out.  False: *UNKNOWN is a word that means nothing. */
enum { OVERRIDE_UNKNOWN_RECIPIENTS = 1, OVERRIDE_MAPPINGS = 2, OVERRIDE_CHECKS = 4, OVERRIDE_MILTERS = 8 };
MUST_CHECK bool cleanup_overrides_parse(slice list, unsigned *overrides, slice *unknown);
/* FLAGS without what OVERRIDES leave out. */
int64_t cleanup_overridden(int64_t flags, unsigned overrides);

enum cleanup_status {
    CLEANUP_OK = 0, CLEANUP_BAD = 1, CLEANUP_WRITE = 2, CLEANUP_SIZE = 4, CLEANUP_CONTENT = 8, CLEANUP_HOPS = 16,
    CLEANUP_NO_RECIPIENTS = 64, CLEANUP_PROXY = 128, CLEANUP_TEMPORARY = 256, CLEANUP_POLICY = 512, CLEANUP_BARE_LF = 65536,
};
/* The SMTP reply for a status that is not 0, e.g. {451, "4.3.0", "Error: queue file write error"}; precedence of ipc.md. */
struct cleanup_reply {
    int code;
    const char *dsn, *text;
};
struct cleanup_reply cleanup_reply_of(int64_t status);

#endif
