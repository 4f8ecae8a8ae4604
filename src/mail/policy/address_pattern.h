/* mail/policy/address_pattern.h - IPv4 addresses by pattern: "127.0.0.[2..4;10]".  Pure.
 *
 * Four numbers, or sets of numbers and ranges in brackets, parted by dots: what stands behind the "=" of DNS lists. */
#ifndef MAIL_POLICY_ADDRESS_PATTERN_H
#define MAIL_POLICY_ADDRESS_PATTERN_H

#include "core/base/err.h"
#include "core/net/endpoint.h"

struct address_pattern {
    uint64_t sets[4][4]; /* of each byte: a bit for every value */
};

/* False: *ERR says what is wrong, with "> <" around the place: need "." at "127.0.0><". */
MUST_CHECK bool address_pattern_parse(slice text, struct address_pattern *out, struct err *err);
bool address_pattern_has(const struct address_pattern *p, const struct endpoint *address);

#endif
