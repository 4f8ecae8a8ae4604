#include "route/qmgr/clog.h"

#include "core/base/clock.h"
#include "mail/events/events.h"
#include "route/qmgr/state.h"

enum { SHARE_OF_LIMIT = 5 };

/* Nothing else is in the active queue: what is there does not get through. */
static void advise_alone(const struct destination *d)
{
    event_warning("you may need to reduce %s connect and helo timeouts", d->transport->name);
    event_warning("so that Postfix quickly skips unavailable hosts");
    event_warning("you may need to increase the main.cf minimal_backoff_time and maximal_backoff_time");
    event_warning("so that Postfix wastes less time on undeliverable mail");
    event_warning("you may need to increase the master.cf %s process limit", d->transport->name);
}

static void advise_shared(const struct destination *d, size_t active)
{
    int limit = qmgr.params->qmgr_message_active_limit;

    event_warning("this may slow down other mail deliveries");
    if (active >= (size_t)limit)
        event_warning("you may need to increase the main.cf qmgr_message_active_limit from %d", limit);
    else
        event_warning("you may need a separate master.cf transport for %s", d->nexthop);
}

void clog_check(struct destination *d)
{
    const struct params *p = qmgr.params;
    size_t entries = d->waiting + (size_t)d->busy, active = qmgr.active.count;
    int64_t now_us;

    if (entries <= (size_t)(p->qmgr_message_active_limit / SHARE_OF_LIMIT) || !p->helpful_warnings || p->qmgr_clog_warn_time_us <= 0)
        return;
    now_us = clock_monotonic_us();
    if (d->clog_warned_us != 0 && now_us - d->clog_warned_us < p->qmgr_clog_warn_time_us)
        return;
    d->clog_warned_us = now_us;
    event_warning("mail for %s is using up %zu of %zu active queue entries", d->nexthop, entries, active);
    if (entries < active)
        advise_shared(d, active);
    else
        advise_alone(d);
    event_warning("please avoid flushing the whole queue when you have");
    event_warning("lots of deferred mail, that is bad for performance");
    event_warning("to turn off these warnings specify: qmgr_clog_warn_time = 0");
}
