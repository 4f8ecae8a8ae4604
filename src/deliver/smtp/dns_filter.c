#include "deliver/smtp/search.h"
#include "mail/events/events.h"

enum verdict { KEEP, IGNORE, UNUSABLE };

static enum verdict judge(const struct settings *s, const struct dns_record *r)
{
    AUTO_BUF struct buf text = BUF_INIT(4096), action = BUF_INIT(4096);
    struct err err;

    dns_record_print(r, &text);
    switch (client_map_get(s, MAP_DNS_REPLY, buf_slice(&text), &action, &err)) {
    case TABLE_NOT_FOUND:
        return KEEP;
    case TABLE_FAILED:
        return UNUSABLE;
    case TABLE_FOUND:
        break;
    }
    if (slice_eq_case(buf_slice(&action), S("ignore"))) {
        event_info("ignoring DNS RR: %s", buf_text(&text));
        return IGNORE;
    }
    event_warning("%s: unknown DNS filter action: \"%s\"", s->maps[MAP_DNS_REPLY].parameter, buf_text(&action));
    return UNUSABLE;
}

static struct outcome filtered(const struct search *s, slice name, enum dns_type type, struct dsn_code dsn,
                               const char *what)
{
    return search_outcome(OUTCOME_DEFERRED, dsn,
                          arena_format(s->arena, S("DNS reply filter"), "Error looking up name=%.*s type=%s: %s",
                                       S_ARG(name), dns_type_name(type), what));
}

bool dns_filter(const struct search *s, slice name, enum dns_type type, struct dns_answer *a, struct outcome *why)
{
    if (client_map_is_empty(s->settings, MAP_DNS_REPLY))
        return true;
    for (struct dns_record **at = &a->records; *at != NULL;) {
        enum verdict v = judge(s->settings, *at);

        if (v == UNUSABLE) {
            *why = filtered(s, name, type, (struct dsn_code){4, 4, 3}, "Invalid DNS reply filter syntax");
            return false;
        }
        if (v == IGNORE)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
    if (a->records != NULL)
        return true;
    *why = filtered(s, a->canonical.n > 0 ? a->canonical : name, type, (struct dsn_code){4, 7, 0},
                    "DNS reply filter drops all results");
    return false;
}
