/* mail/policy/delegate.h - check_policy_service: asking servers of the site's own (SMTPD_POLICY_README's facts). */
#ifndef MAIL_POLICY_DELEGATE_H
#define MAIL_POLICY_DELEGATE_H

#include "mail/policy/restriction.h"

/* TEXT: "inet:host:port", "unix:path", or "{ inet:host:port, timeout=10s, default_action=DUNNO }".  Equal texts share a
 * server; all live as long as the policy.  NULL: *ERR says what is wrong with it. */
struct policy_server *policy_server_open(struct policy *p, slice text, struct err *err);
void policy_servers_close(struct policy_server *first);

enum walk_result check_policy_service(struct walk *w, const struct restriction_use *use);

#endif
