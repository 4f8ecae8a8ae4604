/* mail/params/own_address.h - the addresses that this machine receives mail on, and the networks that follow from them.
 *
 * They come from inet_interfaces, inet_protocols and the machine's interfaces.  Host names in inet_interfaces are looked
 * up by getaddrinfo(), which blocks: at start only.  Nothing suspends.  Source: postconf(5), tried on the field's. */
#ifndef MAIL_PARAMS_OWN_ADDRESS_H
#define MAIL_PARAMS_OWN_ADDRESS_H

#include "core/net/endpoint.h"
#include "mail/params/params.h"

/* inet_protocols.  ERR_CONFIG: unknown inet_protocols value "x" in "x". */
MUST_CHECK bool inet_protocols_parse(slice text, bool *ipv4, bool *ipv6, struct err *err);

/* The addresses with their prefix lengths, IPv4 first; free() *OUT.  INTERFACES and PROTOCOLS are expanded values of
 * inet_interfaces and inet_protocols.  ERR_CONFIG: a name without address, or an address that no interface has. */
MUST_CHECK bool own_addresses_get(slice interfaces, slice protocols, struct interface_address **out, size_t *count,
                                  struct err *err);

/* The default of mynetworks: the networks of ADDRESSES by STYLE (host, subnet, class), each once, as in
 * "127.0.0.0/8 [::1]/128".  Pure. */
MUST_CHECK bool own_networks_print(const struct interface_address *addresses, size_t count, slice style, struct buf *out,
                                   struct err *err);

#endif
