/* mail/proto/policy.h - asking a policy server: SMTPD_POLICY_README.  Plain encoding, no hello; many requests per
 * connection.  The answer is a list with an "action". */
#ifndef MAIL_PROTO_POLICY_H
#define MAIL_PROTO_POLICY_H

#include "core/ipc/message.h"

#define POLICY_ASK_FIELDS(F)                                                                                           \
    F(text, request) /* smtpd_access_policy */                                                                         \
    F(text, protocol_state) F(text, protocol_name) F(text, client_address) F(text, client_name) F(text, client_port)   \
    F(text, reverse_client_name) F(text, server_address) F(text, server_port) F(text, helo_name) F(text, sender)       \
    F(text, recipient) F(number, recipient_count) F(text, queue_id)                                                    \
    F(text, instance) /* tells messages apart: the same for all requests about one */                                  \
    F(long, size) F(text, etrn_domain) F(text, stress) F(text, sasl_method) F(text, sasl_username)                     \
    F(text, sasl_sender) F(text, ccert_subject) F(text, ccert_issuer) F(text, ccert_fingerprint)                       \
    F(text, ccert_pubkey_fingerprint) F(text, encryption_protocol) F(text, encryption_cipher)                          \
    F(number, encryption_keysize) F(text, policy_context)
IPC_MESSAGE(policy_ask, POLICY_ASK_FIELDS)

#endif
