#include "mail/service/log_lines.h"

#include "core/run/task.h"
#include "mail/events/events.h"

static struct timer next_try; /* of the process's log */

static void try_again(void *unused)
{
    int ms;

    (void)unused;
    log_flush(events_log());
    ms = log_retry_ms(events_log());
    if (ms > 0)
        timer_set(&next_try, deadline_in(MILLIS(ms)), try_again, NULL);
}

static void after_line(void)
{
    int ms = log_retry_ms(events_log());

    if (ms > 0 && !heap_has(&next_try.node))
        timer_set(&next_try, deadline_in(MILLIS(ms)), try_again, NULL);
}

void log_lines_begin(void)
{
    log_keep(events_log());
    events_after_line(after_line);
    after_line();
}

void log_lines_end(void)
{
    events_after_line(NULL);
    timer_clear(&next_try);
}
