/* core/dns/dns.h - DNS questions as tasks, over c-ares.
 *
 * One resolver per process; its sockets live on the loop.  Every answer is checked and bounded (at most 100 records;
 * names printable and at most 255 bytes), and copied into the caller's arena.  Depends on: core/net. */
#ifndef CORE_DNS_DNS_H
#define CORE_DNS_DNS_H

#include "core/base/arena.h"
#include "core/net/endpoint.h"

struct dns; /* the resolver */

/* Reads /etc/resolv.conf now (before chroot).  NULL: *ERR set. */
struct dns *dns_open(struct err *err);
/* Asks only the server SERVER ("127.0.0.1") at PORT, whatever resolv.conf says. */
struct dns *dns_open_at(const char *server, uint16_t port, struct err *err);
/* Called from a task (or after the loop's end); nobody may be asking any more.  May suspend shortly. */
void dns_close(struct dns *d);
/* True when resolv.conf has changed since dns_open: the service should restart when idle.  Always false after chroot. */
bool dns_config_changed(const struct dns *d);
/* Believes the AD bit when ADDRESS is the only server; besides resolv.conf's "options trust-ad".  A text that is no address
 * changes nothing. */
void dns_trust_resolver(struct dns *d, slice address);

enum dns_type { DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28 };
enum dns_got {
    DNS_FOUND,
    DNS_NO_DATA,   /* the name exists, no such records */
    DNS_NO_NAME,   /* NXDOMAIN, or aliases that never end (then ->looped) */
    DNS_TRY_AGAIN, /* SERVFAIL, no answer, refused: temporary */
    DNS_BAD,       /* malformed answer or name: permanent */
    DNS_NO_WAY,    /* the server says that such a question cannot be answered (FORMERR): permanent */
    DNS_FAILED,    /* cancelled, or no memory in the arena: *ERR set */
};

enum { DNS_RECORDS_MOST = 100 };
struct dns_record {
    struct dns_record *next; /* in answer order */
    enum dns_type type;
    unsigned preference;     /* MX */
    unsigned ttl;
    slice name;              /* owner */
    slice text;              /* MX, CNAME, NS, PTR: the name without final dot ("" for "."); TXT: joined strings */
    struct endpoint address; /* A, AAAA; port 0 */
};

struct dns_answer {
    struct dns_record *records; /* only of the asked type; CNAMEs followed */
    slice canonical;            /* the name the records belong to */
    bool authenticated;         /* AD bit, when the resolver may be trusted */
    bool cut;                   /* there were more than DNS_RECORDS_MOST records */
    bool kept;                  /* from a cache: whoever asked before has seen the same */
    bool looped;                /* aliases lead back to themselves; the reason says so */
    char reason[256];           /* for the non-FOUND: e.g. "Host or domain name not found. Name service error for name=x
                                 * type=MX: Host not found, try again" */
};

/* What ANSWER's reason comes down to: "Host not found, try again". */
slice dns_why(const struct dns_answer *answer);
/* "MX", "AAAA", ... */
const char *dns_type_name(enum dns_type type);
/* Adds "name. ttl IN type [preference] value", as zone files have it. */
void dns_record_print(const struct dns_record *r, struct buf *out);

/* NAME has no NUL; a final dot is allowed.  No search list is applied. */
MUST_CHECK enum dns_got dns_lookup(struct dns *d, slice name, enum dns_type type, struct arena *arena, deadline by,
                                   struct dns_answer *out, struct err *err);
/* The same, where resolv.conf's search list may say what name is meant: with DNS_LIST_SHORT a
 * name without dots is looked for under the first domain of the list (all of them, with both), with DNS_LIST_LONG any
 * other under all of them.  A name with resolv.conf's ndots is first looked for as it is, a shorter one last. */
enum { DNS_LIST_SHORT = 1, DNS_LIST_LONG = 2 };
MUST_CHECK enum dns_got dns_lookup_by_list(struct dns *d, slice name, unsigned lists, enum dns_type type,
                                           struct arena *arena, deadline by, struct dns_answer *out, struct err *err);
/* Adds ADDRESS as it is asked for below a domain of addresses: "1.2.0.192.", or nibbles. */
void dns_reverse(const struct endpoint *address, struct buf *out);
/* The PTR name of ADDRESS ("1.2.0.192.in-addr.arpa") and its look-up. */
MUST_CHECK enum dns_got dns_lookup_ptr(struct dns *d, const struct endpoint *address, struct arena *arena, deadline by,
                                       struct dns_answer *out, struct err *err);

/* Names by NSS (getaddrinfo / getnameinfo: /etc/hosts, then DNS) on the helper pool. */
MUST_CHECK enum dns_got host_lookup(slice name, int family, struct arena *arena, deadline by, struct dns_answer *out,
                                    struct err *err);
MUST_CHECK enum dns_got host_lookup_name(const struct endpoint *address, struct arena *arena, deadline by,
                                         struct dns_answer *out, struct err *err);

#endif
