/* deliver/smtp/own.h - is an address one of ours? */
#ifndef DELIVER_SMTP_OWN_H
#define DELIVER_SMTP_OWN_H

#include "core/base/err.h"
#include "core/net/endpoint.h"
#include "mail/params/params.h"

/* Addresses that this machine receives mail on: inet_interfaces and proxy_interfaces.  Loaded once at start. */
MUST_CHECK bool own_addresses_load(const struct params *params, struct err *err);
bool own_address(const struct endpoint *e);

#endif
