#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "mail/events/events.h"
#include "support/master/master.h"

/* Where a child finds what it inherits (ipc.md section 3). */
enum { FLOW_READ_FD = 3, FLOW_WRITE_FD = 4, STATUS_FD = 5, LISTEN_FD = 6 };

/* A status message, native byte order (ipc.md section 4). */
struct status_message {
    int pid;
    unsigned generation;
    int available;
};
_Static_assert(sizeof(struct status_message) == 12, "status messages are 12 bytes");

static struct map by_pid; /* decimal pid -> struct child */

static slice pid_key(pid_t pid, char to[16])
{
    return slice_of(to, (size_t)snprintf(to, 16, "%d", pid));
}

static struct child *child_of(pid_t pid)
{
    char key[16];

    return map_get(&by_pid, pid_key(pid, key));
}

/* ---- what children say ---- */
static void hear(const struct status_message *m, struct service_state *s)
{
    struct child *c = child_of(m->pid);

    if (c == NULL || c->service != s || m->generation != c->generation || c->generation != s->generation)
        return;
    if (m->available != 0 && m->available != 1) {
        event_warning("service %s: process %d: bad status %d", s->shown, m->pid, m->available);
        return;
    }
    if (m->available == 1)
        c->used = true;
    if ((m->available == 1) == c->available)
        return;
    c->available = m->available == 1;
    if (c->available)
        s->available++;
    else
        s->available--;
    service_rewatch(s);
}

static void on_status(int fd, void *arg)
{
    struct service_state *s = arg;
    struct status_message m;
    ssize_t n;

    while ((n = read(fd, &m, sizeof m)) == (ssize_t)sizeof m)
        hear(&m, s);
    if (n > 0)
        event_warning("service %s: status message of %zd bytes", s->shown, n);
}

bool status_open(struct service_state *s, struct err *err)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_sys(err, "service %s: status channel", s->shown);
    s->status[0] = fd_keep_high(pair[0]);
    s->status[1] = fd_keep_high(pair[1]);
    s->generation = ++master.generation;
    (void)fcntl(s->status[0], F_SETFL, O_NONBLOCK);
    return fd_watch(s->status[0], on_status, s, err);
}

void status_close(struct service_state *s)
{
    if (s->status[0] >= 0)
        fd_close(s->status[0]);
    if (s->status[1] >= 0)
        (void)close(s->status[1]);
    s->status[0] = s->status[1] = -1;
    s->total_old += s->total;
    s->total = s->available = 0;
}

/* ---- starting ---- */
/* What runs at exit is the master's own. */
static void leave_without_exit(void)
{
    log_close(events_log());
    (void)sleep(1);
    _exit(1);
}

static NORETURN void become(const struct service_state *s, const struct child_arguments *a)
{
    char generation[40];
    size_t n = 0;

    signal_reset_in_child();
    if (dup2(master.flow[0], FLOW_READ_FD) < 0 || dup2(master.flow[1], FLOW_WRITE_FD) < 0 || dup2(s->status[1], STATUS_FD) < 0)
        _exit(1);
    for (size_t i = 0; i < s->listener_count; i++)
        if (dup2(s->listeners[i], LISTEN_FD + (int)i) < 0)
            _exit(1);
    (void)snprintf(generation, sizeof generation, "GENERATION=%o", s->generation);
    while (master.environment[n] != NULL)
        n++;
    master.environment[n] = generation; /* room was left for it */
    master.environment[n + 1] = NULL;
    (void)execve(s->program, a->argv, master.environment);
    events_on_fatal(leave_without_exit);
    event_fatal("master_spawn: exec %s: %s", s->program, strerror(errno));
}

static void limit_reached(struct service_state *s)
{
    int64_t now = clock_monotonic_us();

    if (s->row.type != MASTER_INET || s->process_limit == 0 || s->total < (unsigned)s->process_limit)
        return;
    if (s->limit_warned_us != 0 && now - s->limit_warned_us < SECONDS(1000))
        return;
    s->limit_warned_us = now;
    event_warning("service \"%s\" (%s) has reached its process limit \"%d\": new clients may experience noticeable delays",
                  s->shown, s->shown, s->process_limit);
}

void child_start(struct service_state *s)
{
    struct child_arguments arguments;
    struct child *c;
    char key[16];
    pid_t pid;

    child_arguments_make(s, &arguments);
    pid = fork();
    if (pid == 0)
        become(s, &arguments);
    child_arguments_done(&arguments);
    if (pid < 0) {
        event_warning("fork: %s -- throttling", strerror(errno));
        service_throttle(s);
        return;
    }
    c = xcalloc(1, sizeof *c);
    c->service = s;
    c->pid = pid;
    c->generation = s->generation;
    c->available = true;
    list_push_back(&s->children, &c->in_service);
    (void)map_set(&by_pid, pid_key(pid, key), c);
    s->available++;
    s->total++;
    s->was_used = true;
    limit_reached(s);
    service_rewatch(s);
}

/* ---- ending ---- */
static void describe_end(const struct service_state *s, pid_t pid, int status)
{
    if (WIFEXITED(status))
        event_warning("process %s pid %d exit status %d", s->program, pid, WEXITSTATUS(status));
    else
        event_warning("process %s pid %d killed by signal %d", s->program, pid, WTERMSIG(status));
}

static void ended(struct child *c, int status)
{
    struct service_state *s = c->service;
    bool normal = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    if (s == NULL)
        return;
    list_remove(&c->in_service);
    if (c->generation == s->generation) {
        s->total--;
        if (c->available)
            s->available--;
    } else {
        s->total_old--;
        if (s->total_old == 0 && !s->told_to_end)
            service_wake_successor(s);
    }
    if (!normal && !s->told_to_end) {
        describe_end(s, c->pid, status);
        if (!c->used) {
            event_warning("%s: bad command startup -- throttling", s->program);
            service_throttle(s);
        } else {
            service_wake_soon(s);
        }
    }
    service_rewatch(s);
}

void children_reap(void)
{
    char key[16];
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *c = map_take(&by_pid, pid_key(pid, key));

        if (c == NULL)
            continue;
        ended(c, status);
        free(c);
    }
}

void children_signal(struct service_state *s, int signo)
{
    LIST_EACH(at, &s->children)
        (void)kill(LIST_ENTRY(at, struct child, in_service)->pid, signo);
}
