#include "mail/agent/deputy.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/file.h"

/* ---- the kinds of jobs ---- */

struct job_type {
    size_t job_bytes, result_bytes;
    bool is_command;
    /* The work, as the user; MORE goes out behind the result. */
    void (*run)(const void *job, int content_fd, void *result, struct buf *more);
    void (*refuse)(const char *why, void *result);
};

static void mailbox_work(const void *job, int content_fd, void *result, struct buf *more)
{
    (void)more;
    mailbox_deliver(job, content_fd, result);
}

static void mailbox_refuse(const char *why, void *result)
{
    struct mailbox_result *r = result;

    *r = (struct mailbox_result){.kind = OUTCOME_DEFERRED, .dsn = {4, 3, 5}};
    (void)snprintf(r->reason, sizeof r->reason, "%s", why);
}

static void command_work(const void *job, int content_fd, void *result, struct buf *more)
{
    (void)more;
    command_run(job, content_fd, result);
}

static void command_refuse(const char *why, void *result)
{
    struct command_result *r = result;

    *r = (struct command_result){.end = COMMAND_NOT_BEGUN};
    (void)snprintf(r->trouble, sizeof r->trouble, "%s", why);
}

static void read_work(const void *job, int content_fd, void *result, struct buf *more)
{
    (void)content_fd;
    user_file_read(job, result, more);
}

static void read_refuse(const char *why, void *result)
{
    struct user_file_result *r = result;

    *r = (struct user_file_result){.got = USER_FILE_FAILED};
    (void)snprintf(r->trouble, sizeof r->trouble, "%s", why);
}

static const struct job_type types[] = {
    [JOB_MAILBOX] = {sizeof(struct mailbox_job), sizeof(struct mailbox_result), false, mailbox_work, mailbox_refuse},
    [JOB_COMMAND] = {sizeof(struct command_job), sizeof(struct command_result), true, command_work, command_refuse},
    [JOB_READ] = {sizeof(struct user_file_job), sizeof(struct user_file_result), false, read_work, read_refuse},
};

union any_job {
    struct mailbox_job mailbox;
    struct command_job command;
    struct user_file_job read;
};

union any_result {
    struct mailbox_result mailbox;
    struct command_result command;
    struct user_file_result read;
};

size_t job_bytes(enum job_kind kind)
{
    return types[kind].job_bytes;
}

size_t job_result_bytes(enum job_kind kind)
{
    return types[kind].result_bytes;
}

void job_refuse(enum job_kind kind, const char *why, void *result)
{
    types[kind].refuse(why, result);
}

/* ---- descriptors that come along ---- */

union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

/* Into PARTS, and into *FD when one came.  As recvmsg() returns. */
static ssize_t receive(int socket, struct iovec *parts, size_t count, int *fd)
{
    union control control;
    struct msghdr m = {
        .msg_iov = parts, .msg_iovlen = count, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

    if (c != NULL && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(fd, CMSG_DATA(c), sizeof(int));
    return n;
}

/* ---- a deputy ---- */

struct deputy {
    int socket;
    struct order order;
    bool may_act; /* it is who it should be */
    bool only_once;
    union any_job job;
    union any_result result;
};

static bool become(const struct order *o, bool rootless)
{
    struct identity as = o->as;

    if (rootless)
        return as.uid == geteuid();
    if (as.uid == 0 && getuid() != 0)
        return false;
    /* One supplementary group: none but the user's own rights count.  What he starts may not look into us, who have the
     * queue file open: changing ids sees to that (the process cannot be traced or dumped). */
    return setgroups(1, &as.gid) == 0 && setresgid(as.gid, as.gid, as.gid) == 0 &&
           setresuid(as.uid, as.uid, as.uid) == 0 && getuid() == as.uid && geteuid() == as.uid &&
           prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && (o->commands != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

/* False: nothing more will come, or nothing that makes sense. */
static bool take_job(struct deputy *d, const struct job_type **type, int *content_fd)
{
    struct job_head head;
    struct iovec parts[] = {{&head, sizeof head}, {&d->job, sizeof d->job}};
    ssize_t n;
    size_t have;

    do
        n = receive(d->socket, parts, COUNT_OF(parts), content_fd);
    while (n < 0 && errno == EINTR);
    if (n < (ssize_t)sizeof head || head.kind >= COUNT_OF(types))
        return false;
    *type = &types[head.kind];
    have = (size_t)n - sizeof head;
    if (have > (*type)->job_bytes || (*type)->is_command != (d->order.commands != 0))
        return false;
    for (; have < (*type)->job_bytes; have += (size_t)n) {
        n = read(d->socket, (char *)&d->job + have, (*type)->job_bytes - have);
        if (n < 0 && errno == EINTR)
            n = 0;
        else if (n <= 0)
            return false;
    }
    return true;
}

static void do_job(struct deputy *d, const struct job_type *type, int content_fd, struct buf *more)
{
    char why[100];

    memset(&d->result, 0, sizeof d->result);
    if (d->may_act) {
        type->run(&d->job, content_fd, &d->result, more);
        return;
    }
    (void)snprintf(why, sizeof why, "cannot act as user %ld%s", (long)d->order.as.uid,
                   getuid() != 0 ? ": the mail system runs without root" : "");
    type->refuse(why, &d->result);
}

static NORETURN void deputise(struct deputy *d, bool rootless)
{
    const struct job_type *type;
    struct err err;
    bool answered = true;
    int content_fd = -1;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    d->may_act = become(&d->order, rootless);
    d->only_once = !d->may_act || d->order.commands != 0 || geteuid() == 0;
    while (answered && take_job(d, &type, &content_fd)) {
        AUTO_BUF struct buf more = BUF_INIT(USER_FILE_BYTES_MOST);

        do_job(d, type, content_fd, &more);
        fd_auto_close(&content_fd);
        answered = file_write_all(d->socket, slice_of(&d->result, type->result_bytes), &err) &&
                   file_write_all(d->socket, buf_slice(&more), &err) && !d->only_once;
    }
    _exit(0);
}

/* ---- the spawner ---- */

NORETURN void deputy_spawner(int socket, bool rootless)
{
    struct deputy *next = xcalloc(1, sizeof *next); /* filled by none but the child */
    struct iovec part = {&next->order, sizeof next->order};
    ssize_t n;

    (void)signal(SIGCHLD, SIG_IGN); /* children are reaped by themselves */
    (void)signal(SIGTERM, SIG_IGN); /* the daemon ends what it has begun, and then this process */
    for (;;) {
        int fd = -1;

        n = receive(socket, &part, 1, &fd);
        if (n == 0 || (n < 0 && errno != EINTR))
            _exit(0);
        if (n == sizeof next->order && fd >= 0 && fork() == 0) {
            (void)signal(SIGCHLD, SIG_DFL);
            (void)close(socket);
            next->socket = fd;
            deputise(next, rootless);
        }
        fd_auto_close(&fd);
    }
}
