/* mail/policy/names.h - restrictions by how the names that a client gives are written, and by whether they exist. */
#ifndef MAIL_POLICY_NAMES_H
#define MAIL_POLICY_NAMES_H

#include "mail/policy/restriction.h"

enum walk_result reject_unknown_client_hostname(struct walk *w, const struct restriction_use *use);
enum walk_result reject_unknown_reverse_client_hostname(struct walk *w, const struct restriction_use *use);
enum walk_result reject_invalid_helo_hostname(struct walk *w, const struct restriction_use *use);
enum walk_result reject_non_fqdn_helo_hostname(struct walk *w, const struct restriction_use *use);
enum walk_result reject_unknown_helo_hostname(struct walk *w, const struct restriction_use *use);
enum walk_result reject_non_fqdn_sender(struct walk *w, const struct restriction_use *use);
enum walk_result reject_non_fqdn_recipient(struct walk *w, const struct restriction_use *use);
enum walk_result reject_unknown_sender_domain(struct walk *w, const struct restriction_use *use);
enum walk_result reject_unknown_recipient_domain(struct walk *w, const struct restriction_use *use);

#endif
