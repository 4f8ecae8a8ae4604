/* core/ipc/message.h - declares a message once, for both ends.
 *
 *     #define ANVIL_RATES_FIELDS(F)                             \
 *         F(number, status)                                     \
 *         F(number, count)
 *     IPC_MESSAGE(anvil_rates, ANVIL_RATES_FIELDS)
 *
 * gives  struct anvil_rates { int64_t status; int64_t count; };  and  static const struct ipc_shape anvil_rates_shape;
 * A row is F(type, name) or F(type, member, "wire name").  Types: text, data (slice), number, long (int64_t).
 * FIELDS lists may include each other, so a group that many messages share is written once. */
#ifndef CORE_IPC_MESSAGE_H
#define CORE_IPC_MESSAGE_H

#include "core/ipc/attr.h"

#define IPC_C_text slice
#define IPC_C_data slice
#define IPC_C_number int64_t
#define IPC_C_long int64_t
#define IPC_T_text IPC_TEXT
#define IPC_T_data IPC_DATA
#define IPC_T_number IPC_NUMBER
#define IPC_T_long IPC_LONG

#define IPC_FIRST(first, ...) first
#define IPC_MEMBER(type, name, ...) IPC_C_##type name;
#define IPC_ROW(type, name, ...) {IPC_FIRST(__VA_ARGS__ __VA_OPT__(,) #name), IPC_T_##type},
#define IPC_SIZE(type, name, ...) +sizeof(IPC_C_##type)

/* The codec walks members in order; the assertion says that there is no padding between them. */
#define IPC_MESSAGE(message_name, FIELDS)                                                                              \
    struct message_name {                                                                                              \
        FIELDS(IPC_MEMBER)                                                                                             \
    };                                                                                                                 \
    _Static_assert(sizeof(struct message_name) == 0 FIELDS(IPC_SIZE), "padding in " #message_name);                    \
    static const struct ipc_field message_name##_fields[] = {FIELDS(IPC_ROW)};                                         \
    UNUSED static const struct ipc_shape message_name##_shape = {                                                      \
        #message_name, message_name##_fields, sizeof message_name##_fields / sizeof message_name##_fields[0]};

#endif
