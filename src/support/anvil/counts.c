#include "support/anvil/counts.h"

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/log/log.h"

void counts_init(struct counts *c, int64_t unit_us)
{
    *c = (struct counts){.unit_us = unit_us};
    map_init(&c->by_ident);
}

void counts_done(struct counts *c)
{
    map_done(&c->by_ident, free);
}

static void start_over(const struct counts *c, struct client_counts *client)
{
    int64_t now = clock_monotonic_us();

    if (now - client->since_us <= c->unit_us)
        return;
    client->since_us = now;
    memset(client->rates, 0, sizeof client->rates);
}

static void note(struct highest *h, unsigned value, slice ident)
{
    if (value <= h->value)
        return;
    h->value = value;
    h->at_us = clock_wall_us();
    (void)!text_from_slice(slice_head(ident, sizeof h->ident - 1), h->ident, sizeof h->ident);
}

struct client_counts *counts_of(struct counts *c, slice ident)
{
    struct client_counts *client = map_get(&c->by_ident, ident);

    if (client == NULL) {
        client = xcalloc(1, sizeof *client);
        client->since_us = clock_monotonic_us();
        (void)map_set(&c->by_ident, ident, client);
        note(&c->size, (unsigned)c->by_ident.count, S(""));
    }
    start_over(c, client);
    return client;
}

const struct client_counts *counts_find(struct counts *c, slice ident)
{
    struct client_counts *client = map_get(&c->by_ident, ident);

    if (client != NULL)
        start_over(c, client);
    return client;
}

unsigned counts_event(struct counts *c, slice ident, enum count_kind kind)
{
    struct client_counts *client = counts_of(c, ident);

    note(&c->rates[kind], ++client->rates[kind], ident);
    return client->rates[kind];
}

void counts_connect(struct counts *c, slice ident)
{
    struct client_counts *client = counts_of(c, ident);

    note(&c->open, ++client->open, ident);
    (void)counts_event(c, ident, COUNT_CONNECT);
}

void counts_disconnect(struct counts *c, slice ident)
{
    struct client_counts *client = map_get(&c->by_ident, ident);

    if (client != NULL && client->open > 0)
        client->open--;
}

void counts_prune(struct counts *c)
{
    int64_t now = clock_monotonic_us();

    MAP_EACH(each, &c->by_ident)
    {
        const struct client_counts *client = each->value;

        if (client->open == 0 && now - client->since_us > c->unit_us)
            free(map_take(&c->by_ident, map_key(each)));
    }
}

static void report_one(struct highest *h, const char *what, const char *unit, void (*say)(const char *line))
{
    char line[512], when[16];

    if (h->value == 0)
        return;
    log_print_time(h->at_us, when);
    if (h->ident[0] != '\0')
        (void)snprintf(line, sizeof line, "statistics: max %s %u%s for (%s) at %s", what, h->value, unit, h->ident, when);
    else
        (void)snprintf(line, sizeof line, "statistics: max %s %u at %s", what, h->value, when);
    say(line);
    *h = (struct highest){0};
}

void counts_report(struct counts *c, void (*say)(const char *line))
{
    static const char *const names[] = {"connection rate", "message rate", "recipient rate", "newtls rate", "auth rate"};
    char unit[32];

    (void)snprintf(unit, sizeof unit, "/%llds", (long long)(c->unit_us / SECONDS(1)));
    report_one(&c->rates[COUNT_CONNECT], names[COUNT_CONNECT], unit, say);
    report_one(&c->open, "connection count", "", say);
    for (int i = COUNT_MESSAGE; i < COUNT_KINDS; i++)
        report_one(&c->rates[i], names[i], unit, say);
    report_one(&c->size, "cache size", "", say);
}
