/* mail/proto/rewrite.h - asking trivial-rewrite(8): ipc.md section 8.1.  Many requests per connection. */
#ifndef MAIL_PROTO_REWRITE_H
#define MAIL_PROTO_REWRITE_H

#include "core/ipc/message.h"

#define REWRITE_PROTOCOL "trivial_rewrite_protocol"

#define REWRITE_ASK_FIELDS(F) F(text, request) F(text, rule) F(text, address)      /* rewrite; local | remote; external form */
#define REWRITE_ANSWER_FIELDS(F) F(number, flags) F(text, address)
#define RESOLVE_ASK_FIELDS(F) F(text, request) F(text, sender) F(text, address)    /* resolve | verify; internal form */
#define RESOLVE_ANSWER_FIELDS(F)                                                                                       \
    F(number, server_flags, "flags") F(text, transport) F(text, nexthop) F(text, recipient) F(number, flags)
IPC_MESSAGE(rewrite_ask, REWRITE_ASK_FIELDS)
IPC_MESSAGE(rewrite_answer, REWRITE_ANSWER_FIELDS)
IPC_MESSAGE(resolve_ask, RESOLVE_ASK_FIELDS)
IPC_MESSAGE(resolve_answer, RESOLVE_ANSWER_FIELDS)

/* What is left after "request" was read (ipc_read_first). */
#define REWRITE_REST_FIELDS(F) F(text, rule) F(text, address)
#define RESOLVE_REST_FIELDS(F) F(text, sender) F(text, address)
IPC_MESSAGE(rewrite_rest, REWRITE_REST_FIELDS)
IPC_MESSAGE(resolve_rest, RESOLVE_REST_FIELDS)

enum resolve_flags {
    RESOLVE_FINAL = 1, RESOLVE_ROUTED = 2, RESOLVE_ERROR = 4, RESOLVE_FAIL = 8,
    RESOLVE_LOCAL = 256, RESOLVE_VIRTUAL_ALIAS = 512, RESOLVE_VIRTUAL_MAILBOX = 1024, RESOLVE_RELAY = 2048,
    RESOLVE_DEFAULT = 4096,
    RESOLVE_CLASSES = 256 + 512 + 1024 + 2048 + 4096,
};

#endif
