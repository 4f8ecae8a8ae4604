#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/run/loop.h"

struct signals {
    int fd;
    sigset_t watched;
    struct {
        void (*fn)(int signo, void *arg);
        void *arg;
    } handlers[NSIG];
};

static void on_readable(int fd UNUSED, void *arg UNUSED)
{
    struct signals *s = loop_get()->signals;
    struct signalfd_siginfo info;

    while (read(s->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        unsigned signo = info.ssi_signo;

        if (signo < NSIG && s->handlers[signo].fn != NULL)
            s->handlers[signo].fn((int)signo, s->handlers[signo].arg);
    }
}

static struct signals *new_signals(struct err *err)
{
    struct signals *s = xcalloc(1, sizeof *s);

    (void)sigemptyset(&s->watched);
    s->fd = signalfd(-1, &s->watched, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s->fd < 0) {
        (void)err_sys(err, "signalfd");
        free(s);
        return NULL;
    }
    if (!fd_watch(s->fd, on_readable, NULL, err)) {
        (void)close(s->fd);
        free(s);
        return NULL;
    }
    return s;
}

bool signal_watch(int signo, void (*fn)(int signo, void *arg), void *arg, struct err *err)
{
    struct loop *l = loop_get();
    sigset_t watched;

    BUG_IF(signo <= 0 || signo >= NSIG);
    if (l->signals == NULL)
        l->signals = new_signals(err);
    if (l->signals == NULL)
        return false;
    watched = l->signals->watched;
    (void)sigaddset(&watched, signo);
    if (signalfd(l->signals->fd, &watched, 0) < 0)
        return err_sys(err, "signalfd for signal %d", signo);
    l->signals->watched = watched;
    l->signals->handlers[signo].fn = fn;
    l->signals->handlers[signo].arg = arg;
    (void)pthread_sigmask(SIG_BLOCK, &watched, NULL);
    (void)signal(signo, SIG_DFL); /* inherited as ignored it would not come, and children would be reaped unseen */
    return true;
}

void signal_reset_in_child(void)
{
    sigset_t none;

    for (int signo = 1; signo < NSIG; signo++)
        if (signo != SIGKILL && signo != SIGSTOP)
            (void)signal(signo, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

void signals_free(struct loop *l)
{
    if (l->signals == NULL)
        return;
    (void)close(l->signals->fd);
    free(l->signals);
}
