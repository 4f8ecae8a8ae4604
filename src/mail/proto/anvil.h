/* mail/proto/anvil.h - counting clients: ipc.md section 8.7.  Plain encoding; many requests per connection. */
#ifndef MAIL_PROTO_ANVIL_H
#define MAIL_PROTO_ANVIL_H

#include "core/ipc/message.h"

#define ANVIL_SERVICE "anvil"
#define ANVIL_PROTOCOL "anvil_protocol"

#define ANVIL_REST_FIELDS(F) F(text, ident)
#define ANVIL_ASK_FIELDS(F) F(text, request) ANVIL_REST_FIELDS(F) /* connect disconnect message recipient newtls newtls_status auth lookup */
#define ANVIL_CONNECT_FIELDS(F) F(number, status) F(number, count) F(number, rate)
#define ANVIL_DISCONNECT_FIELDS(F) F(number, status)
#define ANVIL_RATE_FIELDS(F) F(number, status) F(number, rate)
#define ANVIL_LOOKUP_FIELDS(F)                                                                                         \
    F(number, status) F(number, count) F(number, rate) F(number, mail) F(number, rcpt) F(number, newtls) F(number, auth)
IPC_MESSAGE(anvil_ask, ANVIL_ASK_FIELDS)
IPC_MESSAGE(anvil_rest, ANVIL_REST_FIELDS)
IPC_MESSAGE(anvil_connect, ANVIL_CONNECT_FIELDS)
IPC_MESSAGE(anvil_disconnect, ANVIL_DISCONNECT_FIELDS)
IPC_MESSAGE(anvil_rate, ANVIL_RATE_FIELDS)
IPC_MESSAGE(anvil_lookup, ANVIL_LOOKUP_FIELDS)

#endif
