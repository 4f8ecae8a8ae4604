#include "deliver/smtp/settings.h"

#include "core/base/cut.h"
#include "core/net/endpoint.h"
#include "mail/address/client.h"
#include "mail/content/transcript.h"
#include "mail/events/events.h"

/* clang-format off */
#define SETTINGS_SMTP(type, name) .name = p->smtp_##name,
#define SETTINGS_SMTP_MAP(use, name) [use] = {"smtp_" #name, p->smtp_##name, NULL},
#define SETTINGS_LMTP(type, name) .name = p->lmtp_##name,
#define SETTINGS_LMTP_MAP(use, name) [use] = {"lmtp_" #name, p->lmtp_##name, NULL},

static void init_smtp(struct settings *s, const struct params *p)
{
    *s = (struct settings){
        SETTINGS_BOTH(SETTINGS_SMTP)
        .maps = {SETTINGS_MAPS(SETTINGS_SMTP_MAP)
                 [MAP_DISCARD] = {"smtp_discard_ehlo_keyword_address_maps", p->smtp_discard_ehlo_keyword_address_maps, NULL}},
        .hello_timeout_us = p->smtp_helo_timeout_us,
        .hello_name = p->smtp_helo_name,
        .hello_verb = "EHLO",
        .discard_keywords = p->smtp_discard_ehlo_keywords,
        .prefix = "smtp",
        .default_port = p->smtp_tcp_port,
        .only_helo = p->smtp_never_send_ehlo,
        .ehlo_where_said = !p->smtp_always_send_ehlo,
    };
}

static void init_lmtp(struct settings *s, const struct params *p)
{
    *s = (struct settings){
        SETTINGS_BOTH(SETTINGS_LMTP)
        .maps = {SETTINGS_MAPS(SETTINGS_LMTP_MAP)
                 [MAP_DISCARD] = {"lmtp_discard_lhlo_keyword_address_maps", p->lmtp_discard_lhlo_keyword_address_maps, NULL}},
        .hello_timeout_us = p->lmtp_lhlo_timeout_us,
        .hello_name = p->lmtp_lhlo_name,
        .hello_verb = "LHLO",
        .discard_keywords = p->lmtp_discard_lhlo_keywords,
        .prefix = "lmtp",
        .default_port = p->lmtp_tcp_port,
        .lmtp = true,
        .assume_final = p->lmtp_assume_final,
    };
}
/* clang-format on */

static void init_look_up(struct settings *s, const char *list)
{
    slice rest = slice_text(list), word;
    bool no_dns = s->params->disable_dns_lookups || slice_eq_case(slice_text(s->dns_support_level), S("disabled"));

    s->uses_mx = !s->lmtp && !no_dns;
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
    s->params = p;
    s->notice_classes = transcript_classes(p);
    init_look_up(s, lmtp ? p->lmtp_host_lookup : p->smtp_host_lookup);
    s->keeps_eight_bits = p->disable_mime_output_conversion;
}

/* ---- tables ---- */

/* What a reply or a record is replaced by is folded by nobody; names and addresses are. */
static unsigned map_flags(enum map_use use)
{
    return use == MAP_REPLY ? 0 : TABLE_FOLD;
}

static bool check_bind_address(const struct settings *s, const char *text, int family, struct err *err)
{
    struct endpoint e;

    return text[0] == '\0' || (endpoint_parse(slice_text(text), &e) && e.u.any.sa_family == family) ||
           err_set(err, ERR_CONFIG, "bad %s_bind_address%s parameter: %s", s->prefix, family == AF_INET6 ? "6" : "",
                   text);
}

bool settings_open(struct settings *s, struct err *err)
{
    AUTO_BUF struct buf warnings = BUF_INIT(65536);

    if (!check_bind_address(s, s->bind_address, AF_INET, err) ||
        !check_bind_address(s, s->bind_address6, AF_INET6, err))
        return false;
    for (int use = 0; use < MAP_USES; use++) {
        struct client_map *m = &s->maps[use];

        m->tables = tables_open(slice_text(m->list), map_flags((enum map_use)use), &warnings, err);
        if (m->tables == NULL)
            return err_note(err, "%s", m->parameter);
    }
    event_warning_lines(buf_slice(&warnings));
    s->cached = match_list_open(slice_text(s->connection_cache_destinations), MATCH_STRING, false, err);
    if (s->cached == NULL)
        return err_note(err, "%s_connection_cache_destinations", s->prefix);
    s->rewriter = address_client_new();
    s->mydestination = match_list_open(slice_text(s->params->mydestination), MATCH_DOMAIN, false, err);
    return s->mydestination != NULL || err_note(err, "mydestination");
}

bool settings_changed(const struct settings *s, struct buf *name)
{
    for (int use = 0; use < MAP_USES; use++)
        if (tables_changed(s->maps[use].tables, name))
            return true;
    return match_list_changed(s->cached, name) || match_list_changed(s->mydestination, name);
}

bool client_map_is_empty(const struct settings *s, enum map_use use)
{
    return s->maps[use].tables == NULL || tables_empty(s->maps[use].tables);
}

enum table_got client_map_ask(const struct settings *s, enum map_use use, slice key, struct buf *value, struct err *err)
{
    if (client_map_is_empty(s, use))
        return TABLE_NOT_FOUND;
    return tables_get(s->maps[use].tables, key, deadline_in(s->params->ipc_timeout_us), value, err);
}

enum table_got client_map_get(const struct settings *s, enum map_use use, slice key, struct buf *value, struct err *err)
{
    const struct client_map *m = &s->maps[use];
    enum table_got got = client_map_ask(s, use, key, value, err);

    if (got == TABLE_FAILED) {
        event_look_up_failed(tables_failed(m->tables), key, err);
        (void)err_set(err, ERR_TEMPORARY, "%s lookup error", m->parameter);
    }
    return got;
}

bool is_listed(slice list, slice word)
{
    slice one;

    while (cut_word(&list, ", \t\r\n", &one))
        if (slice_eq_case(one, word))
            return true;
    return false;
}
