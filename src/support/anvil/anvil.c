/* anvil(8) - counts what clients do. */
#include "core/base/bug.h"
#include "mail/events/events.h"
#include "mail/proto/anvil.h"
#include "mail/service/service.h"
#include "support/anvil/counts.h"

enum { REQUEST_BYTES = 16384 };
#define ANSWER_US SECONDS(10)

static struct counts counts;
static int64_t last_report_us;
static unsigned open_connections; /* of all visitors */

/* What came over one connection and is taken back when it goes: idents that are connected, each as often as it is. */
struct visitor {
    struct list connected;
};

struct connected {
    struct list node;
    size_t bytes;
    char ident[];
};

static void visitor_add(struct visitor *v, slice ident)
{
    struct connected *c = xcalloc(1, sizeof *c + ident.n);

    c->bytes = ident.n;
    memcpy(c->ident, ident.p, ident.n);
    list_push_front(&v->connected, &c->node);
    counts_connect(&counts, ident);
    open_connections++;
}

static void visitor_remove(struct connected *c)
{
    counts_disconnect(&counts, slice_of(c->ident, c->bytes));
    list_remove(&c->node);
    free(c);
    open_connections--;
}

static void visitor_take_back(struct visitor *v, slice ident)
{
    LIST_EACH(each, &v->connected)
    {
        struct connected *c = LIST_ENTRY(each, struct connected, node);

        if (!slice_eq(slice_of(c->ident, c->bytes), ident))
            continue;
        visitor_remove(c);
        return;
    }
}

static void visitor_leave(struct visitor *v)
{
    LIST_EACH(each, &v->connected)
    visitor_remove(LIST_ENTRY(each, struct connected, node));
}

/* ---- answers ---- */

static bool answer(struct stream *s, const struct ipc_shape *shape, const void *message)
{
    struct err err;
    deadline by = deadline_in(ANSWER_US);

    service_answered();
    return ipc_write_as(IPC_PLAIN, s, shape, message, by, &err) && stream_flush(s, by, &err);
}

static bool on_connect(struct stream *s, struct visitor *v, slice ident)
{
    visitor_add(v, ident);
    const struct client_counts *client = counts_of(&counts, ident);
    const struct anvil_connect a = {.count = client->open, .rate = client->rates[COUNT_CONNECT]};
    return answer(s, &anvil_connect_shape, &a);
}

static bool on_disconnect(struct stream *s, struct visitor *v, slice ident)
{
    const struct anvil_disconnect a = {0};

    visitor_take_back(v, ident);
    return answer(s, &anvil_disconnect_shape, &a);
}

static bool on_lookup(struct stream *s, slice ident)
{
    const struct client_counts *client = counts_find(&counts, ident);
    struct anvil_lookup a = {0};

    if (client != NULL)
        a = (struct anvil_lookup){
            .count = client->open,
            .rate = client->rates[COUNT_CONNECT],
            .mail = client->rates[COUNT_MESSAGE],
            .rcpt = client->rates[COUNT_RECIPIENT],
            .newtls = client->rates[COUNT_NEWTLS],
            .auth = client->rates[COUNT_AUTH],
        };
    return answer(s, &anvil_lookup_shape, &a);
}

static bool on_event(struct stream *s, slice request, slice ident)
{
    static const struct {
        slice request;
        enum count_kind kind;
    } rows[] = {
        {S_INIT("message"), COUNT_MESSAGE},
        {S_INIT("recipient"), COUNT_RECIPIENT},
        {S_INIT("newtls"), COUNT_NEWTLS},
        {S_INIT("auth"), COUNT_AUTH},
    };
    static const struct anvil_disconnect failed = {.status = -1};

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_eq(request, rows[i].request)) {
            const struct anvil_rate a = {.rate = counts_event(&counts, ident, rows[i].kind)};

            return answer(s, &anvil_rate_shape, &a);
        }
    if (slice_eq(request, S("newtls_status"))) {
        const struct client_counts *client = counts_find(&counts, ident);
        const struct anvil_rate a = {.rate = client == NULL ? 0 : client->rates[COUNT_NEWTLS]};

        return answer(s, &anvil_rate_shape, &a);
    }
    event_warning("unrecognized request: \"%.*s\", ignored", S_ARG(request));
    return answer(s, &anvil_disconnect_shape, &failed);
}

static bool serve(struct stream *s, struct visitor *v, const struct anvil_ask *ask)
{
    if (slice_eq(ask->request, S("connect")))
        return on_connect(s, v, ask->ident);
    if (slice_eq(ask->request, S("disconnect")))
        return on_disconnect(s, v, ask->ident);
    if (slice_eq(ask->request, S("lookup")))
        return on_lookup(s, ask->ident);
    return on_event(s, ask->request, ask->ident);
}

static bool say_hello(struct stream *s)
{
    struct err err;
    deadline by = deadline_in(ANSWER_US);

    return stream_printf(s, by, &err, "protocol=%s\n\n", ANVIL_PROTOCOL) && stream_flush(s, by, &err);
}

/* One connected smtpd(8).  When it goes, for whatever reason, its open sessions go too. */
static void client(struct stream *s)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(REQUEST_BYTES);
    struct visitor visitor;
    struct anvil_ask ask;
    struct err err;
    enum ipc_got got;

    list_init(&visitor.connected);
    if (!say_hello(s))
        return;
    do {
        arena_reset(&arena);
        got = ipc_read_as(IPC_PLAIN, s, &anvil_ask_shape, &arena, NEVER, &ask, &err);
    } while (got == IPC_MESSAGE_READ && serve(s, &visitor, &ask));
    if (got == IPC_FAILED && err.kind == ERR_PEER)
        event_warning("%s", err.text);
    visitor_leave(&visitor);
}

/* ---- the rest of its life ---- */

static void say(const char *line)
{
    event_info("%s", line);
}

static bool start(struct service_run *run, struct err *err)
{
    (void)err;
    counts_init(&counts, run->params->anvil_rate_time_unit_us);
    last_report_us = clock_monotonic_us();
    return true;
}

static void tick(void)
{
    counts_prune(&counts);
    if (open_connections > 0)
        service_answered(); /* as long as a connection is open its count must live */
    if (clock_monotonic_us() - last_report_us < service_params()->anvil_status_update_time_us)
        return;
    last_report_us = clock_monotonic_us();
    counts_report(&counts, say);
}

static void stop(void)
{
    counts_report(&counts, say);
}

int main(int argc, char **argv)
{
    static const struct service anvil = {
        .name = "anvil",
        .instances = SERVICE_ONE,
        .flags = SERVICE_MULTI,
        .start = start,
        .client = client,
        .tick = tick,
        .stop = stop,
    };

    return service_main(&anvil, argc, argv);
}
