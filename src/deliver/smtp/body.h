/* deliver/smtp/body.h - the content of a message on the wire: dots doubled, long lines folded, 8-bit parts made fit.
 *
 * May suspend.  Depends on: mail/content. */
#ifndef DELIVER_SMTP_BODY_H
#define DELIVER_SMTP_BODY_H

#include "deliver/smtp/connection.h"
#include "mail/agent/agent.h"

enum body_end {
    BODY_SENT,    /* all of it, with a final CRLF, without the dot */
    BODY_LOST,    /* the connection broke: *ERR */
    BODY_CORRUPT, /* the queue file cannot be read: *ERR */
};
MUST_CHECK enum body_end body_send(struct agent_request *r, struct connection *c, struct err *err);

#endif
