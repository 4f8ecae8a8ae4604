#include "deliver/smtp/destination.h"

#include "core/base/cut.h"
#include "deliver/smtp/search.h"

static const char *known_ports = "";

void destination_open(const struct params *params)
{
    known_ports = params->known_tcp_ports;
}

/* The number behind NAME in "lmtp=24, smtps=submissions=465", or NAME. */
static slice known_port(slice name)
{
    slice list = slice_text(known_ports), word, one;

    while (cut_word(&list, ", \t\r\n", &word)) {
        bool found = false;

        while (cut_until(&word, '=', &one))
            found = found || slice_eq(one, name);
        if (found)
            return word;
    }
    return name;
}

bool destination_parse(slice text, const char *default_port, struct destination *out)
{
    struct destination d = {.text = text};
    slice rest = text, port = slice_text(default_port);

    if (cut_char(&rest, '[')) {
        d.no_mx = true;
        if (!cut_until(&rest, ']', &d.host))
            return false;
        (void)cut_prefix_case(&d.host, S("ipv6:"));
        if (rest.n > 0) {
            if (!cut_char(&rest, ':'))
                return false;
            port = rest;
        }
    } else if (cut_until(&rest, ':', &d.host)) {
        port = rest;
    } else {
        d.host = rest;
    }
    if (d.host.n == 0 || slice_find_any(d.host, " \t[]") != SLICE_NONE || !port_parse(known_port(port), &d.port))
        return false;
    *out = d;
    return true;
}

bool destination_parse_lmtp(slice text, const char *default_port, struct destination *out)
{
    struct destination d = {.text = text, .no_mx = true};
    slice rest = text;

    if (cut_prefix(&rest, S("unix:"))) {
        d.path = rest;
        if (rest.n == 0)
            return false;
        *out = d;
        return true;
    }
    (void)cut_prefix(&rest, S("inet:"));
    if (!destination_parse(rest, default_port, &d))
        return false;
    d.text = text;
    d.no_mx = true;
    *out = d;
    return true;
}

static bool unix_target(const struct destination *d, const struct settings *settings, struct arena *arena,
                        struct target **out)
{
    struct target *t = ARENA_NEW(arena, struct target);

    if (t == NULL || !arena_copy(arena, d->path, &t->path))
        return false;
    t->host = slice_text(settings->params->myhostname);
    *out = t;
    return true;
}

bool destination_targets(const struct destination *d, const struct settings *settings, struct dns *dns,
                         struct arena *arena, deadline by, struct target **out, struct outcome *why,
                         enum own_place *own_place)
{
    struct search s = {.settings = settings, .dns = dns, .arena = arena, .by = by, .port = d->port};
    bool by_mx = !d->no_mx && settings->uses_mx && !endpoint_parse(d->host, &(struct endpoint){0});

    *own_place = OWN_IS_NONE;
    *why = search_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 3, 0}, S("no memory for a delivery"));
    if (d->path.n > 0)
        return unix_target(d, settings, arena, out);
    s.why = search_outcome(OUTCOME_DEFERRED, (struct dsn_code){4, 4, 3}, S("no address found"));
    if (!by_mx)
        search_host(&s, d->host, 0);
    else
        search_domain(&s, d->host);
    if (s.count > 0 && order_targets(&s)) {
        if (!d->no_mx)
            *own_place = order_drop_own(&s, d->host);
        if (*own_place != OWN_IS_BEST) {
            order_limit(&s, settings->mx_address_limit, settings->balance_inet_protocols);
            *out = s.found;
            return true;
        }
    }
    *why = s.why;
    return false;
}
