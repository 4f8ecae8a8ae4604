/* The end of the mail system, in two steps: those where mail comes in and goes out finish what they have begun, while all
 * that they need is there; then the rest ends. */
#include <signal.h>
#include <unistd.h>

#include "mail/events/events.h"
#include "mail/service/log_lines.h"
#include "support/master/master.h"

/* They end by themselves at stop_time_limit: this much later they hang. */
#define HANGING_US SECONDS(5)

static struct timer patience;

static const char *program_name(const struct service_state *s)
{
    const char *slash = strrchr(s->program, '/');

    return slash == NULL ? s->program : slash + 1;
}

/* What spawn starts is asked by others. */
static bool ends_first(const struct service_state *s)
{
    static const char *const programs[] = {"pickup", "qmgr", "oqmgr", "local", "virtual",
                                           "pipe", "smtp", "lmtp", "error", "discard"};
    const char *name = program_name(s);

    if (s->row.type == MASTER_INET || s->row.type == MASTER_PASS)
        return strcmp(name, "spawn") != 0;
    for (size_t i = 0; i < COUNT_OF(programs); i++)
        if (strcmp(name, programs[i]) == 0)
            return true;
    return false;
}

/* Newcomers shall go elsewhere at once. */
static void end_service(struct service_state *s)
{
    s->told_to_end = true;
    service_rewatch(s);
    if (s->row.type == MASTER_INET)
        service_unlisten(s);
    children_signal(s, SIGTERM);
}

static bool all_have_ended(void)
{
    LIST_EACH(at, &master.services)
    {
        const struct service_state *s = LIST_ENTRY(at, struct service_state, in_master);

        if (s->told_to_end && !list_empty(&s->children))
            return false;
    }
    return true;
}

static void end_all(void *unused)
{
    (void)unused;
    LIST_EACH(at, &master.services)
    LIST_ENTRY(at, struct service_state, in_master)->told_to_end = true;
    (void)signal(SIGTERM, SIG_IGN); /* the group includes us */
    (void)kill(0, SIGTERM);
    log_lines_end();
    loop_stop();
}

void stop_child_ended(void)
{
    if (master.stopping && all_have_ended())
        end_all(NULL);
}

static void stop_begin(int signo)
{
    event_info("terminating on signal %d", signo);
    master.stopping = true;
}

void stop_in_order(int signo, void *unused)
{
    (void)unused;
    if (master.stopping)
        return;
    stop_begin(signo);
    LIST_EACH(at, &master.services)
    {
        struct service_state *s = LIST_ENTRY(at, struct service_state, in_master);

        if (ends_first(s))
            end_service(s);
    }
    timer_set(&patience, deadline_in(master.params->stop_time_limit_us + HANGING_US), end_all, NULL);
    stop_child_ended();
}

void stop_at_once(int signo, void *unused)
{
    (void)unused;
    stop_begin(signo);
    end_all(NULL);
}
