/* mail/proto/flush.h - asking flush(8): ipc.md section 8.5. */
#ifndef MAIL_PROTO_FLUSH_H
#define MAIL_PROTO_FLUSH_H

#include "core/ipc/message.h"

#define FLUSH_SERVICE "flush"
#define FLUSH_PROTOCOL "queue_flush_protocol"

#define FLUSH_ADD_REST_FIELDS(F) F(text, site) F(text, queue_id)
#define FLUSH_ADD_FIELDS(F) F(text, request) FLUSH_ADD_REST_FIELDS(F)        /* "add" */
#define FLUSH_SITE_REST_FIELDS(F) F(text, site)
#define FLUSH_SITE_FIELDS(F) F(text, request) FLUSH_SITE_REST_FIELDS(F)      /* "send_site" */
#define FLUSH_FILE_REST_FIELDS(F) F(text, queue_id)
#define FLUSH_FILE_FIELDS(F) F(text, request) FLUSH_FILE_REST_FIELDS(F)      /* "send_file" */
#define FLUSH_PLAIN_FIELDS(F) F(text, request)                               /* "rfrsh", "purge" */
#define FLUSH_ANSWER_FIELDS(F) F(number, status)
IPC_MESSAGE(flush_add, FLUSH_ADD_FIELDS)
IPC_MESSAGE(flush_add_rest, FLUSH_ADD_REST_FIELDS)
IPC_MESSAGE(flush_site, FLUSH_SITE_FIELDS)
IPC_MESSAGE(flush_site_rest, FLUSH_SITE_REST_FIELDS)
IPC_MESSAGE(flush_file, FLUSH_FILE_FIELDS)
IPC_MESSAGE(flush_file_rest, FLUSH_FILE_REST_FIELDS)
IPC_MESSAGE(flush_plain, FLUSH_PLAIN_FIELDS)
IPC_MESSAGE(flush_answer, FLUSH_ANSWER_FIELDS)
enum flush_status { FLUSH_OK = 0, FLUSH_FAIL = -1, FLUSH_BAD = 3, FLUSH_DENIED = 4 };

#endif
