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
    int socket;             /* one packet per job, with descriptors: where the answer goes, and perhaps the content */
    struct turns mailboxes; /* by path: two children would wait deliver_lock_delay for each other's lock */
    void (*gone)(const char *why);
};

/* What stands before each job. */
struct order {
    uint32_t type;
    struct identity as;
};

enum { PASSED_MOST = 2, KEPT_STANDARD = 3 };

/* ---- the kinds of jobs ---- */

struct job_type {
    size_t job_bytes, result_bytes;
    bool gains_rights; /* set-id programs work */
    /* The child's work, as the user; MORE goes out behind the result. */
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

enum job_kind { JOB_MAILBOX, JOB_COMMAND, JOB_READ };

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

/* ---- in the child: the user's identity, then the job ---- */

static bool become(struct identity as, const struct job_type *type, bool rootless)
{
    if (rootless)
        return as.uid == geteuid();
    if (as.uid == 0 && getuid() != 0)
        return false;
    /* One supplementary group: none but the user's own rights count.  What he starts may not look into us, who have the
     * queue file open: changing ids sees to that (the process cannot be traced or dumped). */
    return setgroups(1, &as.gid) == 0 && setresgid(as.gid, as.gid, as.gid) == 0 &&
           setresuid(as.uid, as.uid, as.uid) == 0 && getuid() == as.uid && geteuid() == as.uid &&
           prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
           (type->gains_rights || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

static NORETURN void work(const struct order *o, const void *job, const int fds[PASSED_MOST], bool rootless)
{
    const struct job_type *type = &types[o->type];
    AUTO_BUF struct buf more = BUF_INIT(USER_FILE_BYTES_MOST);
    void *result = xcalloc(1, type->result_bytes);
    char why[100];
    struct err err;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (become(o->as, type, rootless)) {
        type->run(job, fds[1], result, &more);
    } else {
        (void)snprintf(why, sizeof why, "cannot act as user %ld%s", (long)o->as.uid,
                       rootless ? ": the mail system runs without root" : "");
        type->refuse(why, result);
    }
    _exit(file_write_all(fds[0], slice_of(result, type->result_bytes), &err) &&
                  file_write_all(fds[0], buf_slice(&more), &err)
              ? 0
              : 1);
}

/* ---- the spawner's own loop ---- */

static void close_all(int fds[PASSED_MOST])
{
    for (int i = 0; i < PASSED_MOST; i++) {
        fd_auto_close(&fds[i]);
        fds[i] = -1;
    }
}

static size_t take_descriptors(struct msghdr *m, int fds[PASSED_MOST])
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    size_t n;

    if (c == NULL || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(sizeof(int)) ||
        c->cmsg_len > CMSG_LEN(sizeof(int) * PASSED_MOST))
        return 0;
    n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(c), n * sizeof(int));
    return n;
}

/* True: perhaps a job and its descriptors (*GOOD).  False: nobody will send more. */
static bool receive(int socket, struct order *o, union any_job *job, int fds[PASSED_MOST], bool *good)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * PASSED_MOST)];
        struct cmsghdr align;
    } control;
    struct iovec parts[] = {{o, sizeof *o}, {job, sizeof *job}};
    struct msghdr m = {.msg_iov = parts,
                       .msg_iovlen = COUNT_OF(parts),
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);

    *good = false;
    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0)
        return false;
    *good = take_descriptors(&m, fds) > 0 && (size_t)n > sizeof *o && o->type < COUNT_OF(types) &&
            (size_t)n == sizeof *o + types[o->type].job_bytes;
    return true;
}

static NORETURN void serve(int socket, bool rootless)
{
    union any_job *job = xmalloc(sizeof *job);
    struct order order;
    int fds[PASSED_MOST] = {-1, -1};
    bool good;

    (void)signal(SIGCHLD, SIG_IGN); /* children are reaped by themselves */
    (void)signal(SIGTERM, SIG_IGN); /* the daemon ends what it has begun, and then this process */
    while (receive(socket, &order, job, fds, &good)) {
        if (good && fork() == 0) {
            (void)signal(SIGCHLD, SIG_DFL);
            (void)close(socket);
            work(&order, job, fds, rootless);
        }
        close_all(fds);
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
        /* Of what the daemon inherited it keeps nothing but its socket, and 0 to 2, onto which a command's are put. */
        for (int fd = 0; fd < KEPT_STANDARD; fd++)
            if (fcntl(fd, F_GETFD) < 0)
                (void)open("/dev/null", O_RDWR); /* the lowest that is free is this one */
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

/* It never says anything: what can be read is its end. */
static void has_ended(int fd, void *arg)
{
    struct spawner *s = arg;

    fd_forget(fd);
    s->gone("the process that acts for users has ended");
}

bool spawner_watch(struct spawner *s, void (*gone)(const char *why), struct err *err)
{
    s->gone = gone;
    return fd_watch(s->socket, has_ended, s, err);
}

/* ---- asking it ---- */

static bool hand_over(struct spawner *s, struct msghdr *m, deadline by, struct err *err)
{
    while (sendmsg(s->socket, m, MSG_NOSIGNAL) < 0) {
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

/* CONTENT_FD may be -1. */
static bool send_job(struct spawner *s, const struct order *o, const void *job, int content_fd, int answer_fd,
                     deadline by, struct err *err)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * PASSED_MOST)];
        struct cmsghdr align;
    } control = {0};
    const int fds[PASSED_MOST] = {answer_fd, content_fd};
    size_t fd_bytes = sizeof(int) * (content_fd >= 0 ? 2 : 1);
    struct iovec parts[] = {{(void *)o, sizeof *o}, {(void *)job, types[o->type].job_bytes}};
    struct msghdr m = {.msg_iov = parts,
                       .msg_iovlen = COUNT_OF(parts),
                       .msg_control = control.bytes,
                       .msg_controllen = CMSG_SPACE(fd_bytes)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fd_bytes);
    memcpy(CMSG_DATA(c), fds, fd_bytes);
    return hand_over(s, &m, by, err);
}

/* The stream on which the answer comes, or NULL. */
static struct stream *begin_job(struct spawner *s, const struct order *o, const void *job, int content_fd, deadline by,
                                struct err *err)
{
    struct stream *answer;
    int pair[2];
    bool sent;

    if (pipe2(pair, O_CLOEXEC) != 0) {
        (void)err_sys(err, "pipe");
        return NULL;
    }
    answer = stream_open(pair[0]);
    sent = send_job(s, o, job, content_fd, pair[1], by, err);
    (void)close(pair[1]);
    if (sent)
        return answer;
    stream_close(answer);
    return NULL;
}

/* Does the job and fills *RESULT.  MORE of the answer can be read from the stream; NULL: not a word of it can be used.
 */
static struct stream *ask(struct spawner *s, const struct order *o, const void *job, int content_fd, deadline by,
                          void *result, struct err *err)
{
    struct stream *answer = begin_job(s, o, job, content_fd, by, err);

    if (answer != NULL && !stream_read_exact(answer, result, types[o->type].result_bytes, by, err)) {
        stream_close(answer);
        return NULL;
    }
    return answer;
}

static void end_text(char *text, size_t bytes)
{
    text[bytes - 1] = '\0';
}

void spawner_deliver(struct spawner *s, const struct mailbox_job *job, int content_fd, deadline by,
                     struct mailbox_result *out)
{
    const struct order order = {.type = JOB_MAILBOX, .as = {job->uid, job->gid}};
    slice path = slice_text(job->path);
    bool alone = job->kind == MAILBOX_FILE;
    struct err err;

    if (!alone || turns_take(&s->mailboxes, path, by, &err)) {
        AUTO_STREAM struct stream *answer = ask(s, &order, job, content_fd, by, out, &err);

        if (alone)
            turns_give(&s->mailboxes, path);
        if (answer != NULL) {
            end_text(out->reason, sizeof out->reason);
            end_text(out->warning, sizeof out->warning);
            return;
        }
    }
    *out = (struct mailbox_result){.kind = OUTCOME_DEFERRED, .dsn = {4, 3, 0}};
    (void)snprintf(out->reason, sizeof out->reason, "delivery process failure: %.300s", err.text);
}

void spawner_command(struct spawner *s, struct identity as, const struct command_job *job, int content_fd, deadline by,
                     struct command_result *out)
{
    const struct order order = {.type = JOB_COMMAND, .as = as};
    struct err err;
    AUTO_STREAM struct stream *answer = ask(s, &order, job, content_fd, by, out, &err);

    if (answer == NULL) {
        command_refuse("", out);
        (void)snprintf(out->trouble, sizeof out->trouble, "delivery process failure: %.300s", err.text);
    }
    end_text(out->trouble, sizeof out->trouble);
}

void spawner_read(struct spawner *s, struct identity as, const struct user_file_job *job, deadline by,
                  struct user_file_result *out, struct buf *content)
{
    const struct order order = {.type = JOB_READ, .as = as};
    struct err err;
    AUTO_STREAM struct stream *answer = ask(s, &order, job, -1, by, out, &err);
    char *to;

    buf_clear(content);
    end_text(out->trouble, sizeof out->trouble);
    if (answer != NULL && out->got != USER_FILE_FOUND)
        return;
    to = answer != NULL ? buf_reserve(content, out->content_bytes) : NULL;
    if (to != NULL && stream_read_exact(answer, to, out->content_bytes, by, &err)) {
        buf_commit(content, out->content_bytes);
        return;
    }
    if (answer != NULL && to == NULL)
        (void)err_set(&err, ERR_LIMIT, "the file is too long");
    *out = (struct user_file_result){.got = USER_FILE_FAILED};
    (void)snprintf(out->trouble, sizeof out->trouble, "delivery process failure: %.300s", err.text);
}
