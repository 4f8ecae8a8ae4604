#include "mail/agent/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/file.h"
#include "core/io/stream.h"
#include "core/run/turns.h"

struct spawner {
    int socket;             /* one packet per job, with two descriptors: the content and where the answer goes */
    struct turns mailboxes; /* by path: two children would wait deliver_lock_delay for each other's lock */
};

enum { PASSED = 2, KEPT_STANDARD = 3 };

/* ---- in the child: the user's identity, then the job ---- */

static bool become(const struct mailbox_job *job, bool rootless)
{
    if (rootless)
        return job->uid == geteuid();
    /* One supplementary group: none but the user's own rights count. */
    if (job->uid == 0 && getuid() != 0)
        return false;
    return setgroups(1, &job->gid) == 0 && setresgid(job->gid, job->gid, job->gid) == 0 &&
           setresuid(job->uid, job->uid, job->uid) == 0 && getuid() == job->uid && geteuid() == job->uid &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static NORETURN void work(const struct mailbox_job *job, const int fds[PASSED], bool rootless)
{
    struct mailbox_result result = {.kind = OUTCOME_DEFERRED, .dsn = {4, 3, 5}};
    struct err err;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (become(job, rootless))
        mailbox_deliver(job, fds[0], &result);
    else
        (void)snprintf(result.reason, sizeof result.reason, "cannot act as user %ld%s", (long)job->uid,
                       rootless ? ": the mail system runs without root" : "");
    _exit(file_write_all(fds[1], slice_of(&result, sizeof result), &err) ? 0 : 1);
}

/* ---- the spawner's own loop ---- */

/* True: a job and its descriptors.  False: nobody will send more. */
static bool receive(int socket, struct mailbox_job *job, int fds[PASSED], bool *good)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * PASSED)];
        struct cmsghdr align;
    } control;
    struct iovec part = {job, sizeof *job};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

    *good = false;
    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0)
        return false;
    if (c == NULL || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int) * PASSED))
        return true;
    memcpy(fds, CMSG_DATA(c), sizeof(int) * PASSED);
    *good = n == (ssize_t)sizeof *job;
    if (!*good)
        for (int i = 0; i < PASSED; i++)
            (void)close(fds[i]);
    return true;
}

static NORETURN void serve(int socket, bool rootless)
{
    struct mailbox_job *job = xmalloc(sizeof *job);
    int fds[PASSED];
    bool good;

    (void)signal(SIGCHLD, SIG_IGN); /* children are reaped by themselves */
    (void)signal(SIGTERM, SIG_DFL);
    while (receive(socket, job, fds, &good)) {
        if (!good)
            continue;
        if (fork() == 0) {
            (void)signal(SIGCHLD, SIG_DFL);
            (void)close(socket);
            work(job, fds, rootless);
        }
        for (int i = 0; i < PASSED; i++)
            (void)close(fds[i]);
    }
    _exit(0);
}

struct spawner *spawner_start(bool rootless, struct err *err)
{
    struct spawner *s;
    int pair[2], buffer = 1 << 20;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        (void)err_sys(err, "spawner's socket pair");
        return NULL;
    }
    pid = fork();
    if (pid < 0) {
        (void)err_sys(err, "fork the spawner");
        return NULL;
    }
    if (pid == 0) {
        /* Of what the daemon inherited it keeps nothing but its socket. */
        (void)dup2(pair[1], KEPT_STANDARD);
        (void)close_range(KEPT_STANDARD + 1, ~0U, 0);
        serve(KEPT_STANDARD, rootless);
    }
    (void)close(pair[1]);
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    (void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
    s = xcalloc(1, sizeof *s);
    s->socket = pair[0];
    turns_init(&s->mailboxes);
    return s;
}

/* ---- asking it ---- */

static bool send_job(struct spawner *s, const struct mailbox_job *job, int content_fd, int answer_fd, deadline by,
                     struct err *err)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * PASSED)];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {(void *)job, sizeof *job};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    const int fds[PASSED] = {content_fd, answer_fd};

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    while (sendmsg(s->socket, &m, MSG_NOSIGNAL) < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
            return err_sys(err, "ask the spawner");
        /* Several tasks may wait here, and only one may wait on a descriptor: look again shortly. */
        if (deadline_passed(by))
            return err_set(err, ERR_TIMEOUT, "the spawner is busy");
        if (!task_sleep(deadline_in(MILLIS(5)), err))
            return false;
    }
    return true;
}

static bool ask(struct spawner *s, const struct mailbox_job *job, int content_fd, deadline by,
                struct mailbox_result *out, struct err *err)
{
    AUTO_STREAM struct stream *answer = NULL;
    struct mailbox_result result;
    int pair[2];
    bool sent;

    if (pipe2(pair, O_CLOEXEC) != 0)
        return err_sys(err, "pipe");
    answer = stream_open(pair[0]);
    sent = send_job(s, job, content_fd, pair[1], by, err);
    (void)close(pair[1]);
    if (!sent || !stream_read_exact(answer, &result, sizeof result, by, err))
        return false;
    result.reason[sizeof result.reason - 1] = '\0';
    result.warning[sizeof result.warning - 1] = '\0';
    *out = result;
    return true;
}

void spawner_deliver(struct spawner *s, const struct mailbox_job *job, int content_fd, deadline by,
                     struct mailbox_result *out)
{
    slice path = slice_text(job->path);
    bool alone = job->kind == MAILBOX_FILE, done;
    struct err err;

    if (!alone || turns_take(&s->mailboxes, path, by, &err)) {
        done = ask(s, job, content_fd, by, out, &err);
        if (alone)
            turns_give(&s->mailboxes, path);
        if (done)
            return;
    }
    *out = (struct mailbox_result){.kind = OUTCOME_DEFERRED, .dsn = {4, 3, 0}};
    (void)snprintf(out->reason, sizeof out->reason, "delivery process failure: %.300s", err.text);
}
