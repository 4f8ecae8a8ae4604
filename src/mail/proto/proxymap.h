/* mail/proto/proxymap.h - asking proxymap(8): ipc.md section 8.10.  Many requests per connection. */
#ifndef MAIL_PROTO_PROXYMAP_H
#define MAIL_PROTO_PROXYMAP_H

#include "core/ipc/message.h"

#define PROXYMAP_SERVICE "proxymap"
#define PROXYWRITE_SERVICE "proxywrite"
#define PROXYMAP_PROTOCOL "proxymap_protocol"

#define PROXY_OPEN_REST_FIELDS(F) F(text, table) F(number, flags)
#define PROXY_OPEN_FIELDS(F) F(text, request) PROXY_OPEN_REST_FIELDS(F)          /* "open" */
#define PROXY_LOOKUP_REST_FIELDS(F) F(text, table) F(number, flags) F(text, key)
#define PROXY_LOOKUP_FIELDS(F) F(text, request) PROXY_LOOKUP_REST_FIELDS(F)      /* "lookup", "delete" */
#define PROXY_UPDATE_REST_FIELDS(F) PROXY_LOOKUP_REST_FIELDS(F) F(text, value)   /* "update" */
#define PROXY_UPDATE_FIELDS(F) F(text, request) PROXY_UPDATE_REST_FIELDS(F)      /* "update" */
#define PROXY_SEQUENCE_REST_FIELDS(F) F(text, table) F(number, flags) F(number, function)
#define PROXY_SEQUENCE_FIELDS(F) F(text, request) PROXY_SEQUENCE_REST_FIELDS(F)  /* "sequence" */
#define PROXY_OPEN_ANSWER_FIELDS(F) F(number, status) F(number, flags)
#define PROXY_LOOKUP_ANSWER_FIELDS(F) F(number, status) F(text, value)
#define PROXY_STATUS_FIELDS(F) F(number, status)
#define PROXY_SEQUENCE_ANSWER_FIELDS(F) F(number, status) F(text, key) F(text, value)
IPC_MESSAGE(proxy_open, PROXY_OPEN_FIELDS)
IPC_MESSAGE(proxy_open_rest, PROXY_OPEN_REST_FIELDS)
IPC_MESSAGE(proxy_lookup, PROXY_LOOKUP_FIELDS)
IPC_MESSAGE(proxy_lookup_rest, PROXY_LOOKUP_REST_FIELDS)
IPC_MESSAGE(proxy_update, PROXY_UPDATE_FIELDS)
IPC_MESSAGE(proxy_sequence, PROXY_SEQUENCE_FIELDS)
IPC_MESSAGE(proxy_update_rest, PROXY_UPDATE_REST_FIELDS)
IPC_MESSAGE(proxy_sequence_rest, PROXY_SEQUENCE_REST_FIELDS)
IPC_MESSAGE(proxy_open_answer, PROXY_OPEN_ANSWER_FIELDS)
IPC_MESSAGE(proxy_lookup_answer, PROXY_LOOKUP_ANSWER_FIELDS)
IPC_MESSAGE(proxy_status, PROXY_STATUS_FIELDS)
IPC_MESSAGE(proxy_sequence_answer, PROXY_SEQUENCE_ANSWER_FIELDS)
enum proxy_status_code { PROXY_OK = 0, PROXY_NO_KEY = 1, PROXY_RETRY = 2, PROXY_BAD = 3, PROXY_DENIED = 4, PROXY_CONFIG = 5 };

#endif
