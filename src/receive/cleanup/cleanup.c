/* cleanup(8) - turns a submitted message into a durable queue file. */
#include <signal.h>

#include "core/base/cut.h"
#include "mail/address/client.h"
#include "mail/events/events.h"
#include "mail/service/service.h"
#include "receive/cleanup/message.h"
#include "receive/cleanup/output.h"

static struct desk desk;

static bool rewrite(void *context, slice rule, slice external, struct arena *arena, deadline by, slice *out,
                    struct err *err)
{
    return address_rewrite(context, rule, external, arena, by, out, err);
}

static bool changed(void *arg, struct buf *name)
{
    return desk_changed(arg, name);
}

static bool pre_start(struct service_run *run, struct err *err)
{
    AUTO_BUF struct buf warning = BUF_INIT(65536);

    if (!desk_open(&desk, run->params, &warning, err))
        return false;
    event_warning_lines(buf_slice(&warning));
    desk.rewrite = rewrite;
    desk.rewrite_context = address_client_new();
    committer_init(&desk.committer, run->params->queue_directory);
    service_watch(changed, &desk);
    return true;
}

/* master ends us: what nobody has been told of does not stay behind. */
static void on_terminate(int signo, void *arg)
{
    (void)arg;
    output_remove_all();
    signal_reset_in_child();
    (void)raise(signo);
}

static bool start(struct service_run *run, struct err *err)
{
    (void)run;
    return signal_watch(SIGTERM, on_terminate, NULL, err);
}

static void client(struct stream *s)
{
    struct err err;
    int64_t status;

    /* While the queue manager does not catch up, mail comes in no faster than this. */
    if (!flow_wait(desk.params->in_flow_delay_us, &err))
        return;
    (void)session_run(&desk, s, &status, &err);
}

static void stop(void)
{
    address_client_free(desk.rewrite_context);
    desk_close(&desk);
}

int main(int argc, char **argv)
{
    static const struct service cleanup = {
        .name = "cleanup",
        .instances = SERVICE_UNLIMITED,
        .needs = {.may = SANDBOX_NAMES | SANDBOX_SERVICES, .updates = "public", .writes = "incoming hold bounce defer trace"},
        .pre_start = pre_start,
        .start = start,
        .client = client,
        .stop = stop,
    };

    return service_main(&cleanup, argc, argv);
}
