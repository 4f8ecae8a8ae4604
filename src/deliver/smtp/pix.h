/* deliver/smtp/pix.h - old CISCO PIX firewalls, which are known by the stars in a greeting, and what is done for them.
 *
 * smtp_pix_workarounds, or for one address smtp_pix_workaround_maps. */
#ifndef DELIVER_SMTP_PIX_H
#define DELIVER_SMTP_PIX_H

#include "deliver/smtp/connection.h"

enum pix_workaround {
    PIX_DISABLE_ESMTP = 1, /* HELO alone */
    PIX_DELAY_DOTCRLF = 2, /* smtp_pix_workaround_delay_time before the dot, for mail older than ..._threshold_time */
};

/* Sets C->pix by GREETING, and tells of it in the log.  A table that cannot be asked does not count. */
void pix_notice(struct connection *c, slice greeting, const struct errand *errand);

#endif
