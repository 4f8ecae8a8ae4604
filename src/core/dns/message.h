/* core/dns/message.h - a reply packet (RFC 1035 section 4) as records.  Pure but for the arena.
 *
 * Nothing in the packet is trusted: names are at most 255 bytes and printable, at most 1000 records are looked at
 * and DNS_RECORDS_MOST kept,
 * compression pointers only lead backwards. */
#ifndef CORE_DNS_MESSAGE_H
#define CORE_DNS_MESSAGE_H

#include "core/dns/dns.h"

/* Reads PACKET, the reply to a question for NAME and TYPE, into OUT; texts go to ARENA.  As dns_got says; DNS_FAILED: ARENA is
 * full, *ERR set.  The record list can be empty with DNS_NO_DATA while OUT->canonical differs from NAME: then the server told
 * only of an alias, and its target has to be asked for.  OUT->reason
 * is set only for aliases that never end ("Name server loop for x", DNS_NO_NAME), else empty. */
enum dns_got dns_message_read(slice packet, slice name, enum dns_type type, struct arena *arena, struct dns_answer *out,
                              struct err *err);

#endif
