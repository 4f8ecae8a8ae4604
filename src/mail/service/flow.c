#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mail/service/inner.h"

static bool has_pipe(void)
{
    return the_worker()->has_channel;
}

/* How many of MOST tokens were there. */
static unsigned take_some(unsigned most)
{
    char unused[256];
    ssize_t n = read(FD_FLOW_READ, unused, most < sizeof unused ? most : sizeof unused);

    return n > 0 ? (unsigned)n : 0;
}

void flow_take(unsigned tokens)
{
    unsigned got;

    while (has_pipe() && tokens > 0 && (got = take_some(tokens)) > 0)
        tokens -= got;
}

void flow_put(unsigned tokens)
{
    static const char tokens_bytes[256];

    while (has_pipe() && tokens > 0) {
        size_t most = tokens < sizeof tokens_bytes ? tokens : sizeof tokens_bytes;
        ssize_t n = write(FD_FLOW_WRITE, tokens_bytes, most);

        if (n <= 0)
            return; /* full: more than anybody can use */
        tokens -= (unsigned)n;
    }
}

unsigned flow_count(void)
{
    int waiting = 0;

    if (!has_pipe() || ioctl(FD_FLOW_READ, FIONREAD, &waiting) != 0 || waiting < 0)
        return 0;
    return (unsigned)waiting;
}

/* ---- waiting for one ---- */

static unsigned waiting(const struct worker *w)
{
    unsigned count = 0;

    LIST_EACH(each, &w->flow_waiters.waiters)
        count++;
    return count;
}

/* Another process may have been faster. */
static void hand_out(int fd, void *worker)
{
    struct worker *w = worker;
    unsigned most = waiting(w), got = most > 0 ? take_some(most) : 0;

    w->flow_watched = got < most;
    if (!w->flow_watched)
        fd_forget(fd);
    while (got-- > 0)
        waitq_wake_one(&w->flow_waiters);
}

bool flow_wait(int64_t most_us, struct err *err)
{
    struct worker *w = the_worker();

    if (!has_pipe() || (list_empty(&w->flow_waiters.waiters) && take_some(1) == 1) || most_us <= 0)
        return true;
    if (!w->flow_watched && !fd_watch(FD_FLOW_READ, hand_out, w, err))
        return false;
    w->flow_watched = true;
    if (!waitq_wait(&w->flow_waiters, deadline_in(most_us), err))
        return err->kind == ERR_TIMEOUT;
    if (!task_is_cancelled())
        return true;
    flow_put(1); /* it came, and then the end did */
    return err_set(err, ERR_CANCELLED, "cancelled");
}
