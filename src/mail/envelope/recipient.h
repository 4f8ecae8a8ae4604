/* mail/envelope/recipient.h - a recipient as it travels: queue file, delivery request, bounce log; and what RFC 3461 calls its wishes. */
#ifndef MAIL_ENVELOPE_RECIPIENT_H
#define MAIL_ENVELOPE_RECIPIENT_H

#include <stdint.h>

#include "core/base/slice.h"

/* NOTIFY= of RFC 3461 as Postfix stores it. */
enum { NOTIFY_NONE = 0, NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };
/* RET= */
enum { RET_NONE = 0, RET_FULL = 1, RET_HEADERS = 2 };

/* The words of NOTIFY= ("SUCCESS,DELAY", in any case) as flags.  NOTIFY_NONE: bad syntax, and *UNKNOWN is the word that is
 * none, if there is one. */
int notify_parse(slice list, slice *unknown);
/* "FULL", "HDRS"; RET_NONE for anything else. */
int ret_parse(slice word);

struct recipient {
    slice original;      /* as first given; empty when unknown */
    slice address;       /* internal (unquoted) form */
    slice dsn_orig_rcpt; /* "rfc822;addr" or empty */
    int notify;
    int64_t offset;      /* of the R record in the queue file; -1: do not mark; 0 is invalid */
};

#endif
