/* mail/policy/restriction.h - restrictions: one row each, and the lists that are made of them. */
#ifndef MAIL_POLICY_RESTRICTION_H
#define MAIL_POLICY_RESTRICTION_H

#include "core/dns/dns.h"
#include "mail/policy/walk.h"

struct policy_server;
struct restriction;

/* One element of a list: a restriction and its argument, e.g. check_client_access hash:/x. */
struct restriction_use {
    const struct restriction *what; /* NULL: PROBLEM is said when the walk comes here */
    slice argument;                 /* "hash:/x", seconds */
    struct table *access;           /* check_*_access */
    struct policy_server *server;   /* check_policy_service; the policy's */
    const struct restriction_list *class;
    slice problem;
};

struct restriction_list {
    struct restriction_use *uses;
    size_t count;
};

enum restriction_argument {
    ARGUMENT_NONE,
    ARGUMENT_TABLE,
    ARGUMENT_SECONDS,
    ARGUMENT_DOMAIN, /* may be missing: said when the walk comes here */
    ARGUMENT_SERVER, /* "inet:host:port", "unix:path", "{ inet:host:port, timeout=10s }" */
};

struct restriction {
    const char *name;
    enum walk_result (*check)(struct walk *w, const struct restriction_use *use);
    enum restriction_argument argument;
    enum dns_type servers;  /* of check_*_{mx,ns,a}_access: whose hosts are looked at */
    struct walk_subject (*permits_for)(const struct walk *w); /* whom it permits, for the log; NULL: CHECK says it */
    bool is_prefix;       /* says something of the next one: warn_if_reject */
    bool ends_list;       /* nothing behind it is reached */
    bool guards_relaying; /* keeps strangers from relaying */
};

/* NULL: no such restriction. */
const struct restriction *restriction_find(slice name);

#endif
