/* commands/sendmail/enqueue.h - one message from stdin to postdrop(1). */
#ifndef COMMANDS_SENDMAIL_ENQUEUE_H
#define COMMANDS_SENDMAIL_ENQUEUE_H

#include "commands/sendmail/options.h"
#include "mail/params/params.h"

/* The name of whoever runs this, which is the sender unless -f says otherwise; fatal when there is none. */
const char *login_name(void);

/* Ends the process with a message and status 75 when the message was not accepted. */
void enqueue(const struct params *p, const struct sendmail_options *o);

#endif
