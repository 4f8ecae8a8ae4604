/* deliver/smtp/settings.h - the main.cf parameters of this client: smtp_NAME as smtp(8), lmtp_NAME as lmtp(8).
 *
 * Which of the two is decided once, by the program's name; nothing else in this folder asks which parameter counts. */
#ifndef DELIVER_SMTP_SETTINGS_H
#define DELIVER_SMTP_SETTINGS_H

#include "mail/params/params.h"

/* Parameters that exist with both prefixes. */
#define SETTINGS_BOTH(F)                                                                                              \
    F(int64_t, connect_timeout_us)                                                                                    \
    F(int64_t, mail_timeout_us)                                                                                       \
    F(int64_t, rcpt_timeout_us)                                                                                       \
    F(int64_t, data_init_timeout_us)                                                                                  \
    F(int64_t, data_xfer_timeout_us) F(int64_t, data_done_timeout_us) F(int64_t, rset_timeout_us)                     \
        F(int64_t, quit_timeout_us) F(int64_t, connection_cache_time_limit_us)                                        \
            F(int64_t, connection_reuse_time_limit_us) F(int, connection_reuse_count_limit) F(int, line_length_limit) \
                F(int, mx_address_limit) F(int, mx_session_limit) F(bool, randomize_addresses)                        \
                    F(bool, skip_5xx_greeting) F(bool, skip_quit_response) F(bool, defer_if_no_mx_address_found)      \
                        F(bool, connection_cache_on_demand) F(const char *, address_preference)                       \
                            F(const char *, bind_address) F(const char *, bind_address6)

#define SETTINGS_MEMBER(type, name) type name;
struct settings {
    SETTINGS_BOTH(SETTINGS_MEMBER)
    int64_t hello_timeout_us;     /* smtp_helo_timeout, lmtp_lhlo_timeout */
    const char *hello_name;       /* smtp_helo_name, lmtp_lhlo_name */
    const char *hello_verb;       /* "EHLO", "LHLO" */
    const char *discard_keywords; /* smtp_discard_ehlo_keywords, lmtp_discard_lhlo_keywords */
    const char *fallback_relay;
    const char *default_port; /* "smtp", or lmtp_tcp_port */
    bool lmtp;                /* one reply per recipient after the dot; no HELO, no MX */
    bool only_helo;           /* smtp_never_send_ehlo */
    bool assume_final;        /* lmtp_assume_final */
    bool keeps_eight_bits;    /* disable_mime_output_conversion */
    bool uses_mx;             /* not by lmtp, not with disable_dns_lookups */
    bool uses_dns;            /* by smtp_host_lookup and disable_dns_lookups: names are looked up in the DNS, */
    bool uses_native;         /* and what is not found there, or all, by getaddrinfo() */
    struct params *params;    /* all the others */
};

void settings_init(struct settings *s, struct params *p, bool lmtp);

#endif
