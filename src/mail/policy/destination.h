/* mail/policy/destination.h - restrictions by who is responsible for the recipient's domain. */
#ifndef MAIL_POLICY_DESTINATION_H
#define MAIL_POLICY_DESTINATION_H

#include "mail/policy/restriction.h"

/* Do we take responsibility for this recipient's domain, without it being routed on by its local part?  Not without a
 * recipient.  False: *RESULT is what to return. */
bool destination_is_ours(struct walk *w, bool *is_ours, enum walk_result *result);

enum walk_result permit_auth_destination(struct walk *w, const struct restriction_use *use);
enum walk_result reject_unauth_destination(struct walk *w, const struct restriction_use *use);
enum walk_result defer_unauth_destination(struct walk *w, const struct restriction_use *use);
/* Also for domains that have us as an MX, but not as the best. */
enum walk_result permit_mx_backup(struct walk *w, const struct restriction_use *use);

#endif
