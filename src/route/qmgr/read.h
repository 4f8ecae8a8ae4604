/* route/qmgr/read.h - reading a message's file in active/ into memory, its recipients in pieces. */
#ifndef ROUTE_QMGR_READ_H
#define ROUTE_QMGR_READ_H

#include <sys/types.h>

#include "route/qmgr/message.h"

/* Opens, locks and reads M's file, whose mode was MODE: its envelope, and recipients into M->first.  False: the file has
 * been dealt with. */
MUST_CHECK bool read_message(struct message *m, mode_t mode);
/* Reads more recipients of M, at least one unless the file is unusable: then what is in memory is all of M for now. */
struct batch *read_more(struct message *m);

#endif
