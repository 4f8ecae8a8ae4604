/* mail/proto/status.h - reporting a recipient's fate to bounce(8), defer, trace: ipc.md section 8.4. */
#ifndef MAIL_PROTO_STATUS_H
#define MAIL_PROTO_STATUS_H

#include "mail/proto/delivery.h"

#define STATUS_PROTOCOL "delivery_status_protocol"
#define BOUNCE_SERVICE "bounce"
#define DEFER_SERVICE "defer"
#define TRACE_SERVICE "trace"

enum status_request { STATUS_APPEND = 0, STATUS_FLUSH = 1, STATUS_WARN = 2, STATUS_VERP = 3, STATUS_ONE = 4, STATUS_TRACE = 5 };
enum status_flags { STATUS_CLEAN = 1, STATUS_DELETE_RECIPIENTS = 2 };

/* nrequest is first in each; the server reads it with ipc_read_first and the rest with *_rest. */
#define STATUS_APPEND_REST_FIELDS(F) F(number, flags) F(text, queue_id) RECIPIENT_FIELDS(F) DSN_FIELDS(F)
#define STATUS_APPEND_FIELDS(F) F(number, nrequest) STATUS_APPEND_REST_FIELDS(F)
#define STATUS_FLUSH_REST_FIELDS(F)                                                                                    \
    F(number, flags) F(text, queue_name) F(text, queue_id) F(text, encoding) F(number, smtputf8) F(text, sender)       \
    F(text, envelope_id) F(number, ret_flags)
#define STATUS_FLUSH_FIELDS(F) F(number, nrequest) STATUS_FLUSH_REST_FIELDS(F)
#define STATUS_VERP_REST_FIELDS(F) STATUS_FLUSH_REST_FIELDS(F) F(text, verp_delimiters)
#define STATUS_VERP_FIELDS(F) F(number, nrequest) STATUS_VERP_REST_FIELDS(F)
#define STATUS_ONE_REST_FIELDS(F) STATUS_FLUSH_REST_FIELDS(F) RECIPIENT_FIELDS(F) DSN_FIELDS(F)
#define STATUS_ONE_FIELDS(F) F(number, nrequest) STATUS_ONE_REST_FIELDS(F)
IPC_MESSAGE(status_append, STATUS_APPEND_FIELDS)
IPC_MESSAGE(status_append_rest, STATUS_APPEND_REST_FIELDS)
IPC_MESSAGE(status_flush, STATUS_FLUSH_FIELDS)
IPC_MESSAGE(status_flush_rest, STATUS_FLUSH_REST_FIELDS)
IPC_MESSAGE(status_verp, STATUS_VERP_FIELDS)
IPC_MESSAGE(status_verp_rest, STATUS_VERP_REST_FIELDS)
IPC_MESSAGE(status_one, STATUS_ONE_FIELDS)
IPC_MESSAGE(status_one_rest, STATUS_ONE_REST_FIELDS)

#define STATUS_ANSWER_FIELDS(F) F(number, status)
IPC_MESSAGE(status_answer, STATUS_ANSWER_FIELDS)

#endif
