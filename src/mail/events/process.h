/* mail/events/process.h - for mail/events alone: one line to the process's log. */
#ifndef MAIL_EVENTS_PROCESS_H
#define MAIL_EVENTS_PROCESS_H

#include "mail/events/events.h"

/* Before events_open() the line goes to stderr. */
void process_line(enum log_level level, slice text);

#endif
