/* core/dns/inner.h - what the parts of core/dns share.  For core/dns alone. */
#ifndef CORE_DNS_INNER_H
#define CORE_DNS_INNER_H

#include <sys/stat.h>

#include <ares.h>

#include "core/dns/dns.h"

enum { SEARCH_MOST = 6, SEARCH_NAME_BYTES = 256 };
struct resolv_conf {
    bool trust_ad;
    int timeout_ms, attempts, dots;
    size_t search_count;
    char search[SEARCH_MOST][SEARCH_NAME_BYTES];
};
/* What c-ares does not read or is not to use: options trust-ad, timeout, attempts, ndots; search and domain. */
void resolv_conf_read(struct resolv_conf *out);

/* One set of sockets.  After QUESTIONS_PER_CHANNEL questions a new one begins, so that source ports change. */
struct dns_channel {
    struct list node;
    struct dns *dns;
    ares_channel ares;
    unsigned asked, waiting;
    bool retired;
    struct list pumps; /* its sockets */
    struct timer timeouts, end;
};

enum { QUESTIONS_PER_CHANNEL = 100 };

struct dns {
    ares_channel pattern; /* never asked; others are made after it */
    struct dns_channel *current;
    struct list channels;
    struct task_group pumps; /* tasks that wait for c-ares' sockets */
    bool has_group, has_only_server, only_local;
    struct endpoint only_server;
    bool trust_ad, watches_file;
    struct resolv_conf conf;
    struct stat file, root;
};

/* A channel for one more question; NULL: *ERR set.  The caller counts waiting up and down by channel_answered(). */
struct dns_channel *channel_for_question(struct dns *d, struct err *err);
/* After every call into c-ares. */
void channel_arm(struct dns_channel *c);
void channel_answered(struct dns_channel *c);
void channels_free(struct dns *d);

#endif
