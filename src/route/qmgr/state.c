#include "route/qmgr/state.h"

#include "mail/events/events.h"
#include "mail/service/service.h"

struct qmgr qmgr;

uint32_t qmgr_random(void)
{
    uint32_t x = qmgr.random != 0 ? qmgr.random : (uint32_t)clock_monotonic_us() | 1;

    /* xorshift */
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    qmgr.random = x;
    return x;
}

void qmgr_spawn(const char *name, task_fn *fn, void *arg)
{
    struct err err;

    if (!service_spawn(name, fn, arg, true, &err))
        event_fatal("cannot start a task (%s): %s", name, err.text);
}

void qmgr_kick_intake(void)
{
    waitq_wake_all(&qmgr.intake);
}

bool qmgr_has_room(void)
{
    return qmgr.active.count < (size_t)qmgr.params->qmgr_message_active_limit &&
           qmgr.recipients < (size_t)qmgr.params->qmgr_message_recipient_limit && qmgr.routing < ROUTING_MOST;
}
