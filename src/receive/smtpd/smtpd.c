/* smtpd(8): receives mail by SMTP. */
#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/service/service.h"
#include "receive/smtpd/session.h"

static struct smtpd_world world;

static bool open_tables(struct service_run *run, struct err *err)
{
    AUTO_BUF struct buf warnings = BUF_INIT(64 * 1024);

    slice overrides = slice_text(run->params->receive_override_options), unknown;

    if (!cleanup_overrides_parse(overrides, &world.overrides, &unknown))
        return err_set(err, ERR_CONFIG, "unknown receive_override_options value \"%.*s\" in \"%.*s\"", S_ARG(unknown),
                       S_ARG(overrides));
    world.stress = run->stress;
    world.standalone = run->standalone;
    if (!world_open(&world, run->params, &warnings, err))
        return false;
    event_warning_lines(buf_slice(&warnings)); /* and again when a client comes to that list */
    return true;
}

/* Tables behind proxymap connect at their first use: asking once now spares the first client that wait. */
static bool warm_up(struct service_run *run, struct err *err)
{
    (void)err;
    if (run->standalone)
        return true;
    service_watch(world_changed, &world);
    policy_warm_up(world.policy, deadline_in(SECONDS(10)));
    return true;
}

static void client(struct stream *s)
{
    session_run(&world, s);
}

int main(int argc, char **argv)
{
    static const struct service smtpd = {
        .name = "smtpd",
        .instances = SERVICE_ANY,
        .flags = SERVICE_FINISHES,
        .needs = {.may = SANDBOX_NAMES | SANDBOX_SERVICES | SANDBOX_INTERNET},
        .pre_start = open_tables,
        .start = warm_up,
        .client = client,
        .stopping = sessions_stopping,
    };

    return service_main(&smtpd, argc, argv);
}
