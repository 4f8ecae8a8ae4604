/* mail/proto/delivery.h - a delivery request from qmgr(8) to an agent: ipc.md section 8.3.  One per connection. */
#ifndef MAIL_PROTO_DELIVERY_H
#define MAIL_PROTO_DELIVERY_H

#include "core/ipc/message.h"

#define DELIVERY_PROTOCOL "delivery_request_protocol"

#define DELIVERY_REQUEST_FIELDS(F)                                                                                     \
    F(number, flags) F(text, queue_name) F(text, queue_id) F(long, offset, "offset") F(long, size) F(text, nexthop)    \
    F(text, encoding) F(number, smtputf8) F(text, sender) F(text, envelope_id) F(number, ret_flags) F(data, time)      \
    F(text, log_client_name) F(text, log_client_address) F(text, log_client_port) F(text, log_protocol_name)           \
    F(text, log_helo_name) F(text, sasl_method) F(text, sasl_username) F(text, sasl_sender) F(text, log_ident)         \
    F(text, rewrite_context) F(number, recipient_count)
#define RECIPIENT_FIELDS(F)                                                                                            \
    F(text, original_recipient) F(text, recipient) F(long, offset) F(text, dsn_orig_rcpt) F(number, notify_flags)
#define DSN_FIELDS(F)                                                                                                  \
    F(text, status) F(text, diag_type) F(text, diag_text) F(text, mta_type) F(text, mta_mname) F(text, action) F(text, reason)
/* The DSN part is filled only when the destination is bad; result 0: every recipient handled. */
#define DELIVERY_ANSWER_FIELDS(F) DSN_FIELDS(F) F(number, result, "status")
IPC_MESSAGE(delivery_request, DELIVERY_REQUEST_FIELDS)
IPC_MESSAGE(delivery_recipient, RECIPIENT_FIELDS)
IPC_MESSAGE(delivery_answer, DELIVERY_ANSWER_FIELDS)

/* Bits of "smtputf8" that need a server with SMTPUTF8; 1 alone was only asked for.  Queue file, field 6 of C. */
enum { DELIVERY_UTF8_HEADER = 2, DELIVERY_UTF8_SENDER = 4, DELIVERY_UTF8_RECIPIENT = 8 };

enum delivery_flags {
    DELIVERY_MARK_DONE = 1, DELIVERY_BOUNCE = 2, DELIVERY_MTA_PROBE = 256, DELIVERY_USER_PROBE = 512, DELIVERY_RECORD = 1024,
    DELIVERY_CACHE_LOAD = 2048, DELIVERY_CACHE_STORE = 4096, DELIVERY_LATE = 8192,
};

#endif
