#include "deliver/smtp/settings.h"

#include "core/base/cut.h"

static void init_smtp(struct settings *s, const struct params *p)
{
#define SETTINGS_SMTP(type, name) .name = p->smtp_##name,
    *s = (struct settings){
        SETTINGS_BOTH(SETTINGS_SMTP).hello_timeout_us = p->smtp_helo_timeout_us,
        .hello_name = p->smtp_helo_name,
        .hello_verb = "EHLO",
        .discard_keywords = p->smtp_discard_ehlo_keywords,
        .fallback_relay = p->smtp_fallback_relay,
        .default_port = "smtp",
        .only_helo = p->smtp_never_send_ehlo,
    };
}

static void init_lmtp(struct settings *s, const struct params *p)
{
#define SETTINGS_LMTP(type, name) .name = p->lmtp_##name,
    *s = (struct settings){
        SETTINGS_BOTH(SETTINGS_LMTP).hello_timeout_us = p->lmtp_lhlo_timeout_us,
        .hello_name = p->lmtp_lhlo_name,
        .hello_verb = "LHLO",
        .discard_keywords = p->lmtp_discard_lhlo_keywords,
        .fallback_relay = "",
        .default_port = p->lmtp_tcp_port,
        .lmtp = true,
        .assume_final = p->lmtp_assume_final,
    };
}

static void init_look_up(struct settings *s, const char *list, bool no_dns)
{
    slice rest = slice_text(list), word;

    while (cut_word(&rest, ", \t\r\n", &word)) {
        s->uses_dns = s->uses_dns || (slice_eq_case(word, S("dns")) && !no_dns);
        s->uses_native = s->uses_native || slice_eq_case(word, S("native"));
    }
    s->uses_native = s->uses_native || !s->uses_dns;
}

void settings_init(struct settings *s, struct params *p, bool lmtp)
{
    if (lmtp)
        init_lmtp(s, p);
    else
        init_smtp(s, p);
    s->uses_mx = !lmtp && !p->disable_dns_lookups;
    init_look_up(s, lmtp ? p->lmtp_host_lookup : p->smtp_host_lookup, p->disable_dns_lookups);
    s->keeps_eight_bits = p->disable_mime_output_conversion;
    s->params = p;
}
