/* discard(8) - delivers to nowhere. */
#include "mail/agent/agent.h"
#include "mail/service/service.h"

static void deliver(struct agent_request *r)
{
    struct outcome o = {.kind = OUTCOME_DELIVERED, .dsn = {2, 0, 0}, .relay = S("none")};

    o.reason = agent_split_dsn(r->wire.nexthop, &o.dsn);
    if (o.dsn.class != 2)
        o.dsn = (struct dsn_code){2, 0, 0};
    agent_report_rest(r, &o);
}

static void client(struct stream *s)
{
    agent_serve(s, deliver);
}

int main(int argc, char **argv)
{
    static const struct service discard = {
        .name = "discard",
        .flags = SERVICE_AGENT,
        .needs = {.may = SANDBOX_SERVICES, .updates = "active"},
        .client = client,
    };

    return service_main(&discard, argc, argv);
}
