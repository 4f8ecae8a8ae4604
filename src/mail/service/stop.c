/* The end of the mail system, as master tells it: SIGTERM. */
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "mail/service/inner.h"

/* How long deliveries may go on that can be begun again without harm. */
#define GRACE_US SECONDS(5)
/* For the replies of those whose time is over. */
#define LAST_WORDS_US SECONDS(1)

bool service_is_stopping(void)
{
    return the_worker()->stopping;
}

static void end_now(void *unused)
{
    (void)unused;
    loop_stop();
}

/* ---- deliveries: a message that was handed over and not marked would be delivered again ---- */

void service_hold(void)
{
    the_worker()->held++;
}

void service_release(void)
{
    struct worker *w = the_worker();

    if (--w->held == 0 && w->grace_over)
        loop_stop();
}

static void on_grace_over(void *arg)
{
    struct worker *w = arg;

    w->grace_over = true;
    if (w->held == 0)
        loop_stop();
    else
        timer_set(&w->told_to_end, deadline_in(w->run.params->stop_time_limit_us), end_now, NULL);
}

static void end_deliveries(int signo, void *arg)
{
    struct worker *w = arg;

    (void)signo;
    if (w->stopping)
        return;
    w->stopping = true;
    timer_set(&w->told_to_end, deadline_in(w->service->stop_grace_us != 0 ? w->service->stop_grace_us : GRACE_US),
              on_grace_over, w);
    service_drain(NULL);
}

/* ---- sessions ---- */

static void on_limit(void *arg)
{
    struct worker *w = arg;

    group_cancel(&w->clients);
    timer_set(&w->told_to_end, deadline_in(LAST_WORDS_US), end_now, NULL);
}

/* Without master there is nobody left who could take a message on. */
static void end_with_master(const struct worker *w)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != w->started_by)
        loop_stop();
}

static void end_sessions(int signo, void *arg)
{
    struct worker *w = arg;

    (void)signo;
    if (w->stopping)
        return;
    w->stopping = true;
    end_with_master(w);
    timer_set(&w->told_to_end, deadline_in(w->run.params->stop_time_limit_us), on_limit, w);
    service_drain(NULL);
    if (w->service->stopping != NULL)
        w->service->stopping();
}

bool stop_watch(struct worker *w, struct err *err)
{
    if ((w->service->flags & SERVICE_AGENT) != 0)
        return signal_watch(SIGTERM, end_deliveries, w, err);
    if ((w->service->flags & SERVICE_FINISHES) == 0 || !w->own_master)
        return true;
    w->started_by = getppid();
    return signal_watch(SIGTERM, end_sessions, w, err);
}
