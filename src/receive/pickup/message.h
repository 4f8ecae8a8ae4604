/* receive/pickup/message.h - one file of maildrop/ on its way to cleanup.
 *
 * The order of system calls is that of the walkthrough (rows B6 to B15).  May suspend. */
#ifndef RECEIVE_PICKUP_MESSAGE_H
#define RECEIVE_PICKUP_MESSAGE_H

#include <sys/stat.h>

#include "mail/params/params.h"

/* What becomes of the file. */
enum message_fate {
    MESSAGE_DONE,  /* it is in the queue under a new id: remove the file */
    MESSAGE_LATER, /* something is wrong with us: leave it for the next pass */
    MESSAGE_BAD,   /* nothing can be made of it: remove it, as the log has told */
};

/* FD is open on maildrop/ID, ST describes it.  PATH is for messages. */
enum message_fate message_deliver(const struct params *params, int fd, const struct stat *st, slice id, const char *path,
                                  bool is_requeued);

#endif
