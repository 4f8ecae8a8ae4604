/* route/qmgr/listing.h - writes what waits to a client of the control socket. */
#ifndef ROUTE_QMGR_LISTING_H
#define ROUTE_QMGR_LISTING_H

#include "core/io/stream.h"
#include "mail/proto/qmgr.h"

/* Writes the runs that answer ASK, and their end.  Lets others run; suspends while the client does not read. */
MUST_CHECK bool listing_write(struct stream *s, const struct qmgr_list_rest *ask, deadline by, struct err *err);

#endif
