/* mail/policy/servers.h - check_*_{mx,ns,a}_access: access tables asked about the hosts behind a name. */
#ifndef MAIL_POLICY_SERVERS_H
#define MAIL_POLICY_SERVERS_H

#include "mail/policy/restriction.h"

enum walk_result check_client_servers(struct walk *w, const struct restriction_use *use);
enum walk_result check_reverse_client_servers(struct walk *w, const struct restriction_use *use);
enum walk_result check_helo_servers(struct walk *w, const struct restriction_use *use);
enum walk_result check_sender_servers(struct walk *w, const struct restriction_use *use);
enum walk_result check_recipient_servers(struct walk *w, const struct restriction_use *use);

#endif
