/* route/qmgr/qmgr.c - qmgr(8), the queue manager: keeps the message queues, decides what is delivered when. */
#include <signal.h>
#include <string.h>

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/service/service.h"
#include "route/qmgr/control.h"
#include "route/qmgr/deferred.h"
#include "route/qmgr/deliver.h"
#include "route/qmgr/fill.h"
#include "route/qmgr/give_up.h"
#include "route/qmgr/intake.h"
#include "route/qmgr/keep.h"
#include "route/qmgr/move.h"
#include "route/qmgr/settings.h"
#include "route/qmgr/state.h"

static void ready(void *unused, struct transport *t)
{
    (void)unused;
    deliver_kick(t);
}

/* Master is stopped.  What is being delivered is delivered again, as if this process had been killed. */
static void stopped(int signo, void *unused)
{
    (void)unused;
    keep_now();
    signal_reset_in_child();
    (void)raise(signo);
}

static bool start(struct service_run *run, struct err *err)
{
    qmgr.params = run->params;
    qmgr.started_us = clock_monotonic_us();
    qmgr.layout = (struct queue_layout){slice_text(run->params->hash_queue_names), run->params->hash_queue_depth};
    qmgr.addresses = address_client_new();
    qmgr.incoming_again_us = qmgr.stranded_again_us = INT64_MAX;
    list_init(&qmgr.stranded);
    qmgr.scan_incoming = true;
    schedule_init(&qmgr.schedule, settings_configure, run->params);
    qmgr.schedule.ready = ready;
    list_init(&qmgr.undeliverable);
    waitq_init(&qmgr.undeliverable_came);
    index_init(&qmgr.index);
    waitq_init(&qmgr.fill);
    map_init(&qmgr.active);
    waitq_init(&qmgr.intake);
    waitq_init(&qmgr.rescan);
    if (!settings_check(run->params, err) || !move_all_back(err))
        return false;
    return service_spawn("intake", intake_run, NULL, true, err) &&
           service_spawn("deferred", deferred_run, NULL, true, err) && service_spawn("fill", fill_run, NULL, true, err) &&
           service_spawn("control", control_run, NULL, true, err) && service_spawn("keep", keep_run, NULL, true, err) &&
           signal_watch(SIGTERM, stopped, NULL, err) &&
           service_spawn("give up", give_up_run, NULL, true, err);
}

/* Letters of ipc.md section 6, in any order and number: F and A count before D and I. */
static void trigger(slice request)
{
    bool deferred = slice_find(request, 'D') != SLICE_NONE, all = slice_find(request, 'A') != SLICE_NONE;

    if (slice_find(request, 'F') != SLICE_NONE) {
        qmgr.flushing = true;
        schedule_revive(&qmgr.schedule);
        deliver_kick_all();
    }
    if (all)
        qmgr.scan_all = true;
    if (deferred) {
        qmgr.scan_deferred = true;
        waitq_wake_all(&qmgr.rescan);
    }
    if (slice_find_any(request, "WI") != SLICE_NONE) {
        qmgr.scan_incoming = true;
        if (all)
            qmgr.incoming_flushed_us = clock_wall_us();
    }
    qmgr_kick_intake();
}

int main(int argc, char **argv)
{
    static const struct service service = {
        .name = "qmgr",
        .instances = SERVICE_ONE,
        .flags = SERVICE_NEVER_IDLES,
        .needs = {.may = SANDBOX_SERVICES | SANDBOX_LISTEN,
                  .writes = "incoming active deferred hold corrupt bounce defer trace public $data_directory"},
        .start = start,
        .trigger = trigger,
        .trigger_pause_us = INTAKE_PAUSE_US,
        .stop = keep_now,
        .watchdog_us = SECONDS(333),
    };

    return service_main(&service, argc, argv);
}
