/* error(8) - bounces, or as the service "retry" defers, with the next hop as the reason. */
#include "mail/agent/agent.h"
#include "mail/service/service.h"

static void deliver(struct agent_request *r)
{
    bool is_retry = strcmp(service_run()->name, "retry") == 0;
    int class = is_retry ? 4 : 5;
    struct outcome o = {.kind = is_retry ? OUTCOME_DEFERRED : OUTCOME_BOUNCED, .dsn = {class, 0, 0}, .relay = S("none")};

    o.reason = r->wire.nexthop.n > 0 ? agent_split_dsn(r->wire.nexthop, &o.dsn) : S("Address is undeliverable");
    if (o.dsn.class != class)
        o.dsn = (struct dsn_code){class, 0, 0};
    agent_report_rest(r, &o);
}

static void client(struct stream *s)
{
    agent_serve(s, deliver);
}

int main(int argc, char **argv)
{
    static const struct service error = {
        .name = "error",
        .flags = SERVICE_AGENT,
        .needs = {.may = SANDBOX_SERVICES, .updates = "active"},
        .client = client,
    };

    return service_main(&error, argc, argv);
}
