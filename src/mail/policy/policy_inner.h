/* mail/policy/policy_inner.h - the policy itself, for the files of this folder that look into its tables. */
#ifndef MAIL_POLICY_POLICY_INNER_H
#define MAIL_POLICY_POLICY_INNER_H

#include "core/dns/cache.h"
#include "mail/policy/restriction.h"
#include "mail/service/connect.h"

struct restriction_class {
    slice name;
    struct restriction_list list;
};

struct policy {
    struct params *params;
    struct arena arena;
    struct dns *dns;
    struct dns_cache *names; /* the same is asked for each recipient */
    bool asks_ipv4, asks_ipv6; /* inet_protocols */
    struct restriction_list lists[POLICY_LISTS];
    struct policy_server *servers;
    struct restriction_class *classes;
    size_t class_count;
    struct match_list *clients[POLICY_CLIENT_LISTS], *forbidden_commands, *mx_backup_networks, *logged_permits;
    struct tables *rbl_replies, *dns_filter;
    struct tables *local_recipients, *virtual_aliases, *virtual_mailboxes, *relay_recipients;
    struct link_pool *verify;
    struct tables *canonical, *recipient_canonical, *sender_canonical;
};

/* The class of that name, or NULL. */
const struct restriction_list *policy_class(const struct policy *p, slice name);

#endif
