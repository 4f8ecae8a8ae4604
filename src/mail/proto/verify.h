/* mail/proto/verify.h - telling verify(8) what became of a probe, and asking it: ipc.md section 8.6. */
#ifndef MAIL_PROTO_VERIFY_H
#define MAIL_PROTO_VERIFY_H

#include "core/ipc/message.h"

#define VERIFY_PROTOCOL "address_verification_prrotocol" /* spelled so on the wire */

#define VERIFY_QUERY_REST_FIELDS(F) F(text, address)
#define VERIFY_QUERY_FIELDS(F) F(text, request) VERIFY_QUERY_REST_FIELDS(F)    /* "query" */
#define VERIFY_UPDATE_REST_FIELDS(F) F(text, address) F(number, recipient_status) F(text, reason)
#define VERIFY_UPDATE_FIELDS(F) F(text, request) VERIFY_UPDATE_REST_FIELDS(F)  /* "update" */
#define VERIFY_ANSWER_FIELDS(F) F(number, status) F(number, recipient_status) F(text, reason)
#define VERIFY_DONE_FIELDS(F) F(number, status)
IPC_MESSAGE(verify_query, VERIFY_QUERY_FIELDS)
IPC_MESSAGE(verify_query_rest, VERIFY_QUERY_REST_FIELDS)
IPC_MESSAGE(verify_update, VERIFY_UPDATE_FIELDS)
IPC_MESSAGE(verify_update_rest, VERIFY_UPDATE_REST_FIELDS)
IPC_MESSAGE(verify_answer, VERIFY_ANSWER_FIELDS)
IPC_MESSAGE(verify_done, VERIFY_DONE_FIELDS)

enum verify_status { VERIFY_OK = 0, VERIFY_DEFER = 1, VERIFY_BOUNCE = 2, VERIFY_TODO = 3 };
/* "status" when a request makes no sense. */
enum { VERIFY_BAD = -2 };

#endif
