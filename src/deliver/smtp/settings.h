/* deliver/smtp/settings.h - the main.cf parameters of this client: smtp_NAME as smtp(8), lmtp_NAME as lmtp(8).
 *
 * Which of the two is decided once, by the program's name; nothing else in this folder asks which parameter counts.
 * Tables are opened at start, before chroot; asking them may suspend.  Depends on: mail/params, mail/table. */
#ifndef DELIVER_SMTP_SETTINGS_H
#define DELIVER_SMTP_SETTINGS_H

#include "mail/params/params.h"
#include "mail/table/table.h"

/* Parameters that exist with both prefixes. */
/* clang-format off */
#define SETTINGS_BOTH(F)                                                                                              \
    F(int64_t, connect_timeout_us) F(int64_t, mail_timeout_us) F(int64_t, rcpt_timeout_us)                            \
    F(int64_t, data_init_timeout_us) F(int64_t, data_xfer_timeout_us) F(int64_t, data_done_timeout_us)                \
    F(int64_t, rset_timeout_us) F(int64_t, quit_timeout_us) F(int64_t, xforward_timeout_us)                           \
    F(int64_t, connection_cache_time_limit_us) F(int64_t, connection_reuse_time_limit_us)                             \
    F(int64_t, pix_workaround_threshold_time_us) F(int64_t, pix_workaround_delay_time_us)                             \
    F(int, connection_reuse_count_limit) F(int, line_length_limit) F(int, mx_address_limit) F(int, mx_session_limit)  \
    F(bool, randomize_addresses) F(bool, balance_inet_protocols) F(bool, skip_5xx_greeting)                           \
    F(bool, skip_quit_response) F(bool, defer_if_no_mx_address_found) F(bool, connection_cache_on_demand)             \
    F(bool, bind_address_enforce) F(bool, cname_overrides_servername) F(bool, quote_rfc821_envelope)                  \
    F(bool, send_xforward_command) F(const char *, address_preference) F(const char *, bind_address)                  \
    F(const char *, bind_address6) F(const char *, fallback_relay) F(const char *, pix_workarounds)                   \
    F(const char *, address_verify_target) F(const char *, dns_resolver_options) F(const char *, dns_support_level)   \
    F(const char *, connection_cache_destinations)

/* Tables likewise: what they are for, and the parameter's name behind smtp_ or lmtp_. */
#define SETTINGS_MAPS(F)                                                                                              \
    F(MAP_PIX, pix_workaround_maps) F(MAP_GENERIC, generic_maps) F(MAP_REPLY, reply_filter)                           \
    F(MAP_DNS_REPLY, dns_reply_filter) F(MAP_HEADER, header_checks) F(MAP_MIME_HEADER, mime_header_checks)            \
    F(MAP_NESTED_HEADER, nested_header_checks) F(MAP_BODY, body_checks)
/* clang-format on */
#define SETTINGS_MAP_ENUM(use, name) use,
enum map_use { SETTINGS_MAPS(SETTINGS_MAP_ENUM) MAP_DISCARD /* keywords, by address */, MAP_USES };

struct client_map {
    const char *parameter; /* "smtp_generic_maps" */
    const char *list;
    struct tables *tables;
};

#define SETTINGS_MEMBER(type, name) type name;
struct settings {
    SETTINGS_BOTH(SETTINGS_MEMBER)
    struct client_map maps[MAP_USES];
    struct match_list *cached; /* connection_cache_destinations */
    struct match_list *mydestination;
    struct address_client *rewriter; /* trivial-rewrite(8), for generic.h */
    int64_t hello_timeout_us;        /* smtp_helo_timeout, lmtp_lhlo_timeout */
    const char *hello_name;          /* smtp_helo_name, lmtp_lhlo_name */
    const char *hello_verb;          /* "EHLO", "LHLO" */
    const char *discard_keywords;    /* smtp_discard_ehlo_keywords, lmtp_discard_lhlo_keywords */
    const char *prefix;              /* "smtp", "lmtp" */
    const char *default_port;        /* smtp_tcp_port, lmtp_tcp_port */
    unsigned notice_classes;         /* of notify_classes: mail/content/transcript.h */
    bool lmtp;                       /* one reply per recipient after the dot; no HELO, no MX */
    bool only_helo;                  /* smtp_never_send_ehlo */
    bool ehlo_where_said;            /* not smtp_always_send_ehlo: only to a server that calls itself ESMTP */
    bool assume_final;               /* lmtp_assume_final */
    bool keeps_eight_bits;           /* disable_mime_output_conversion */
    bool uses_mx;                    /* not by lmtp, not with disable_dns_lookups */
    bool uses_dns;                   /* by smtp_host_lookup and disable_dns_lookups: names are looked up in the DNS, */
    bool uses_native;                /* and what is not found there, or all, by getaddrinfo() */
    struct params *params;           /* all the others */
};

void settings_init(struct settings *s, struct params *p, bool lmtp);
/* Opens the tables; what is wrong with one is told of in the log.  False: a value that cannot be used at all. */
MUST_CHECK bool settings_open(struct settings *s, struct err *err);
/* A table was changed: *NAME is which. */
bool settings_changed(const struct settings *s, struct buf *name);

bool client_map_is_empty(const struct settings *s, enum map_use use);
MUST_CHECK enum table_got client_map_ask(const struct settings *s, enum map_use use, slice key, struct buf *value,
                                         struct err *err);
/* The same; a failure is told of in the log, and *ERR (ERR_TEMPORARY) names the parameter. */
MUST_CHECK enum table_got client_map_get(const struct settings *s, enum map_use use, slice key, struct buf *value,
                                         struct err *err);

/* Is WORD, in any case, in LIST ("dsn, size")? */
bool is_listed(slice list, slice word);

#endif
