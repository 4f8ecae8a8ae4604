/* commands/sendmail/probe_text.h - the message of "sendmail -bv": nobody gets it, but the report quotes its header. */
#ifndef COMMANDS_SENDMAIL_PROBE_TEXT_H
#define COMMANDS_SENDMAIL_PROBE_TEXT_H

#include "core/base/buf.h"

/* From SENDER (internal form), to the RECIPIENTS of the command line; lines end in LF. */
void probe_text(slice sender, char **recipients, struct buf *out);

#endif
