#include "mail/agent/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "core/io/stream.h"
#include "core/run/turns.h"
#include "mail/agent/deputy.h"

/* Deputies that wait for more to do: how many, how long, and after how many jobs one is replaced by a new one. */
enum { IDLE_MOST = 16, JOBS_MOST = 100 };
#define IDLE_US SECONDS(2)

struct deputy_link {
    struct deputy_link *next;
    struct identity as;
    struct stream *channel;
    unsigned jobs;
    int64_t idle_since_us;
};

struct spawner {
    int socket;              /* one packet per order, with the deputy's end of its channel */
    struct turns mailboxes;  /* by path: two children would wait deliver_lock_delay for each other's lock */
    struct deputy_link *idle; /* the one that worked last comes first */
    size_t idle_count;
    struct timer idle_timer;
    void (*gone)(const char *why);
};

enum { KEPT_STANDARD = 3 };

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
        deputy_spawner(KEPT_STANDARD, rootless);
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

/* ---- descriptors on the way ---- */

/* As sendmsg() returns.  FD may be -1. */
static ssize_t send_with(int socket, struct iovec *parts, size_t count, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = count};
    struct cmsghdr *c;

    if (fd >= 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = sizeof control.bytes;
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    return sendmsg(socket, &m, MSG_NOSIGNAL);
}

/* ---- deputies ---- */

static bool send_order(struct spawner *s, struct order *o, int its_end, deadline by, struct err *err)
{
    struct iovec part = {o, sizeof *o};

    while (send_with(s->socket, &part, 1, its_end) < 0) {
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

static struct deputy_link *start(struct spawner *s, struct order *o, deadline by, struct err *err)
{
    struct deputy_link *d;
    int pair[2];
    bool sent;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        (void)err_sys(err, "socket pair");
        return NULL;
    }
    sent = send_order(s, o, pair[1], by, err);
    (void)close(pair[1]);
    if (!sent) {
        (void)close(pair[0]);
        return NULL;
    }
    d = xcalloc(1, sizeof *d);
    d->as = o->as;
    d->channel = stream_open(pair[0]);
    return d;
}

/* It ends by itself when its channel is closed. */
static void dismiss(struct deputy_link *d)
{
    stream_close(d->channel);
    free(d);
}

static struct deputy_link *take_idle(struct spawner *s, struct identity as)
{
    for (struct deputy_link **at = &s->idle; *at != NULL; at = &(*at)->next) {
        struct deputy_link *d = *at;

        if (d->as.uid == as.uid && d->as.gid == as.gid) {
            *at = d->next;
            s->idle_count--;
            return d;
        }
    }
    return NULL;
}

/* Those that have waited since before SINCE_US, and those beyond the first MOST. */
static void dismiss_idle(struct spawner *s, int64_t since_us, size_t most)
{
    struct deputy_link **at = &s->idle;
    size_t n = 0;

    while (*at != NULL && (*at)->idle_since_us > since_us && n < most) {
        at = &(*at)->next;
        n++;
    }
    for (struct deputy_link *d = *at, *next; d != NULL; d = next) {
        next = d->next;
        dismiss(d);
    }
    *at = NULL;
    s->idle_count = n;
}

static void look_for_idle(void *arg)
{
    struct spawner *s = arg;

    dismiss_idle(s, clock_monotonic_us() - IDLE_US, IDLE_MOST);
    if (s->idle != NULL)
        timer_set(&s->idle_timer, deadline_in(IDLE_US), look_for_idle, s);
}

/* D has done what it was asked.  Root's deputies and those for commands end by themselves. */
static void keep(struct spawner *s, struct deputy_link *d)
{
    if (d->as.uid == 0 || d->jobs >= JOBS_MOST || stream_buffered(d->channel) > 0) {
        dismiss(d);
        return;
    }
    if (s->idle == NULL)
        timer_set(&s->idle_timer, deadline_in(IDLE_US), look_for_idle, s);
    d->idle_since_us = clock_monotonic_us();
    d->next = s->idle;
    s->idle = d;
    if (++s->idle_count > IDLE_MOST)
        dismiss_idle(s, INT64_MIN, IDLE_MOST);
}

/* ---- asking them ---- */

/* CONTENT_FD may be -1. */
static bool hand_over(struct deputy_link *d, enum job_kind kind, const void *job, int content_fd, deadline by,
                      struct err *err)
{
    struct job_head head = {.kind = kind};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)job, job_bytes(kind)}};
    ssize_t n;

    do
        n = send_with(stream_fd(d->channel), parts, COUNT_OF(parts), content_fd);
    while (n < 0 && errno == EINTR);
    if (n < (ssize_t)sizeof head)
        return err_sys(err, "ask the process that acts as user %ld", (long)d->as.uid);
    d->jobs++;
    n -= sizeof head;
    return (size_t)n == job_bytes(kind) ||
           (stream_write(d->channel, slice_of((const char *)job + n, job_bytes(kind) - (size_t)n), by, err) &&
            stream_flush(d->channel, by, err));
}

/* Does the job and fills *RESULT.  MORE of the answer can be read from the deputy's channel, before keep() or dismiss();
 * NULL: not a word of it can be used. */
static struct deputy_link *ask(struct spawner *s, enum job_kind kind, struct identity as, const void *job,
                               int content_fd, deadline by, void *result, struct err *err)
{
    struct order order = {.as = as, .commands = kind == JOB_COMMAND};
    struct deputy_link *d = NULL;
    bool handed = false;

    /* One that has ended meanwhile has not begun this job. */
    while (kind != JOB_COMMAND && !handed && (d = take_idle(s, as)) != NULL)
        if (!(handed = hand_over(d, kind, job, content_fd, by, err)))
            dismiss(d);
    if (!handed) {
        d = start(s, &order, by, err);
        handed = d != NULL && hand_over(d, kind, job, content_fd, by, err);
    }
    if (handed && stream_read_exact(d->channel, result, job_result_bytes(kind), by, err))
        return d;
    if (d != NULL)
        dismiss(d);
    return NULL;
}

static void end_text(char *text, size_t bytes)
{
    text[bytes - 1] = '\0';
}

void spawner_deliver(struct spawner *s, const struct mailbox_job *job, int content_fd, deadline by,
                     struct mailbox_result *out)
{
    slice path = slice_text(job->path);
    bool alone = job->kind == MAILBOX_FILE;
    struct err err;

    if (!alone || turns_take(&s->mailboxes, path, by, &err)) {
        struct deputy_link *d = ask(s, JOB_MAILBOX, (struct identity){job->uid, job->gid}, job, content_fd, by, out, &err);

        if (alone)
            turns_give(&s->mailboxes, path);
        if (d != NULL) {
            end_text(out->reason, sizeof out->reason);
            end_text(out->warning, sizeof out->warning);
            (out->kind == OUTCOME_DELIVERED ? keep(s, d) : dismiss(d));
            return;
        }
    }
    *out = (struct mailbox_result){.kind = OUTCOME_DEFERRED, .dsn = {4, 3, 0}};
    (void)snprintf(out->reason, sizeof out->reason, "delivery process failure: %.300s", err.text);
}

void spawner_command(struct spawner *s, struct identity as, const struct command_job *job, int content_fd, deadline by,
                     struct command_result *out)
{
    struct err err;
    struct deputy_link *d = ask(s, JOB_COMMAND, as, job, content_fd, by, out, &err);

    if (d != NULL) {
        dismiss(d);
    } else {
        job_refuse(JOB_COMMAND, "", out);
        (void)snprintf(out->trouble, sizeof out->trouble, "delivery process failure: %.300s", err.text);
    }
    end_text(out->trouble, sizeof out->trouble);
}

/* Behind the result, when that says that there is any. */
static bool read_content(struct deputy_link *d, const struct user_file_result *r, deadline by, struct buf *content,
                         struct err *err)
{
    char *to;

    if (r->got != USER_FILE_FOUND)
        return true;
    to = buf_reserve(content, r->content_bytes);
    if (to == NULL)
        return err_set(err, ERR_LIMIT, "the file is too long");
    if (!stream_read_exact(d->channel, to, r->content_bytes, by, err))
        return false;
    buf_commit(content, r->content_bytes);
    return true;
}

void spawner_read(struct spawner *s, struct identity as, const struct user_file_job *job, deadline by,
                  struct user_file_result *out, struct buf *content)
{
    struct err err;
    struct deputy_link *d = ask(s, JOB_READ, as, job, -1, by, out, &err);

    buf_clear(content);
    if (d != NULL && read_content(d, out, by, content, &err)) {
        end_text(out->trouble, sizeof out->trouble);
        (out->got != USER_FILE_FAILED ? keep(s, d) : dismiss(d));
        return;
    }
    if (d != NULL)
        dismiss(d);
    *out = (struct user_file_result){.got = USER_FILE_FAILED};
    (void)snprintf(out->trouble, sizeof out->trouble, "delivery process failure: %.300s", err.text);
}
