#include "mail/agent/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "core/run/task.h"
#include "mail/queue/reader.h"

enum { GATHER_BYTES = 64 * 1024, LAST_WAIT_MS = 5000 };

/* A program that runs, seen from the one who watches over it. */
struct watched {
    pid_t pid;
    int alive;         /* pidfd: readable when it has ended; -1: seen */
    int input, output; /* our ends of its pipes; -1: closed */
    struct queue_reader *content;
    struct buf waiting; /* input it has not taken yet */
    bool content_ended;
    int64_t until_us;
    int status;
};

/* ---- the program's side ---- */

static char **text_list(const struct command_texts *t, uint32_t from, uint32_t to)
{
    char **list = xcalloc((size_t)(to - from) + 1, sizeof *list);
    const char *at = t->bytes;

    for (uint32_t i = 0; i < to; i++, at += strlen(at) + 1)
        if (i >= from)
            list[i - from] = (char *)at;
    return list;
}

static NORETURN void become_program(const struct command_job *job, int input, int output)
{
    char **arguments = text_list(&job->texts, 0, job->arguments);
    char **environment = text_list(&job->texts, job->arguments, job->texts.count);
    const struct rlimit limit = {(rlim_t)job->file_limit, (rlim_t)job->file_limit};

    if (setsid() < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) != 0)
        _exit(EX_TEMPFAIL);
    signal_reset_in_child();
    (void)signal(SIGXFSZ, SIG_IGN); /* a file at the limit is an error that the program can tell of */
    (void)umask(077);
    if (job->file_limit > 0)
        (void)setrlimit(RLIMIT_FSIZE, &limit);
    (void)execve(job->program, arguments, environment);
    (void)dprintf(STDERR_FILENO, "cannot execute %s: %s\n", job->program, strerror(errno));
    _exit(EX_TEMPFAIL);
}

/* ---- ours ---- */

static bool not_begun(struct command_result *out, const char *what)
{
    out->end = COMMAND_NOT_BEGUN;
    (void)snprintf(out->trouble, sizeof out->trouble, "%s: %s", what, strerror(errno));
    return false;
}

/* None of them is one of 0 to 2, which are open in whoever runs commands. */
static bool pipes(int in[2], int out[2])
{
    if (pipe2(in, O_CLOEXEC) != 0)
        return false;
    if (pipe2(out, O_CLOEXEC) == 0)
        return true;
    (void)close(in[0]);
    (void)close(in[1]);
    return false;
}

static bool begin(const struct command_job *job, struct watched *w, struct command_result *out)
{
    int in[2], back[2];

    if (job->directory[0] != '\0' && chdir(job->directory) != 0) {
        out->end = COMMAND_NOT_BEGUN;
        (void)snprintf(out->trouble, sizeof out->trouble,
                       "cannot change directory to \"%.400s\" for uid=%ld gid=%ld: %s", job->directory, (long)geteuid(),
                       (long)getegid(), strerror(errno));
        return false;
    }
    if (fault("command.pipe") || !pipes(in, back))
        return not_begun(out, "pipe for a command");
    w->pid = fault("command.fork") ? -1 : fork();
    if (w->pid == 0)
        become_program(job, in[0], back[1]);
    (void)close(in[0]);
    (void)close(back[1]);
    w->input = in[1];
    w->output = back[0];
    if (w->pid < 0)
        return not_begun(out, "fork for a command");
    w->alive = pidfd_open(w->pid, 0);
    if (w->alive < 0)
        return not_begun(out, "watch a command");
    (void)fcntl(w->input, F_SETFL, O_NONBLOCK);
    (void)fcntl(w->output, F_SETFL, O_NONBLOCK);
    return true;
}

static void close_one(int *fd)
{
    fd_auto_close(fd);
    *fd = -1;
}

/* Fills the waiting input; a queue file that cannot be read ends the input, and the program is not to see a part as the
 * whole: it is killed. */
static bool fill_input(struct watched *w, struct err *err)
{
    enum record_got got = RECORD_READ;
    bool ends;
    slice text;

    while (!w->content_ended && w->waiting.n < GATHER_BYTES / 2) {
        got = queue_reader_text(w->content, &text, &ends, err);
        if (got != RECORD_READ)
            break;
        (void)buf_add(&w->waiting, text);
        if (ends)
            (void)buf_add_char(&w->waiting, '\n');
    }
    if (got == RECORD_EOF)
        w->content_ended = true;
    return got != RECORD_BAD;
}

/* A program need not read all, or anything. */
static void feed(struct watched *w)
{
    ssize_t n = write(w->input, w->waiting.p, w->waiting.n);

    if (n > 0)
        buf_consume(&w->waiting, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        close_one(&w->input);
}

static void hear(struct watched *w, struct command_result *out)
{
    char dropped[1024];
    size_t room = sizeof out->output - out->output_bytes;
    ssize_t n = read(w->output, room > 0 ? out->output + out->output_bytes : dropped, room > 0 ? room : sizeof dropped);

    if (n > 0 && room > 0)
        out->output_bytes += (uint32_t)n;
    else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_one(&w->output);
}

static void reap(struct watched *w)
{
    if (waitpid(w->pid, &w->status, WNOHANG) == w->pid)
        close_one(&w->alive);
}

static void kill_session(struct watched *w)
{
    struct pollfd last = {.fd = w->alive, .events = POLLIN};

    (void)kill(-w->pid, SIGKILL);
    if (w->alive >= 0 && kill(w->pid, SIGKILL) == 0 && /* before it had a session */
        poll(&last, 1, LAST_WAIT_MS) > 0)
        reap(w);
}

static int rest_ms(const struct watched *w)
{
    int64_t rest = (w->until_us - clock_monotonic_us() + 999) / 1000;

    return rest < 0 ? 0 : rest > 3600 * 1000 ? 3600 * 1000 : (int)rest;
}

/* One turn of waiting.  False: the limit was reached, or (ERR set) the content cannot be read. */
static bool turn(struct watched *w, struct command_result *out, struct err *err)
{
    struct pollfd fds[3];

    if (w->input >= 0 && !fill_input(w, err))
        return false;
    if (w->input >= 0 && w->waiting.n == 0)
        close_one(&w->input);
    fds[0] = (struct pollfd){.fd = w->input, .events = POLLOUT};
    fds[1] = (struct pollfd){.fd = w->output, .events = POLLIN};
    fds[2] = (struct pollfd){.fd = w->alive, .events = POLLIN};
    if (poll(fds, COUNT_OF(fds), rest_ms(w)) == 0 && clock_monotonic_us() >= w->until_us)
        return false;
    if (w->input >= 0 && fds[0].revents != 0)
        feed(w);
    if (w->output >= 0 && fds[1].revents != 0)
        hear(w, out);
    if (w->alive >= 0 && fds[2].revents != 0)
        reap(w);
    if (w->alive < 0 && w->input >= 0) /* nobody is left to read it, or only what it left behind */
        close_one(&w->input);
    return true;
}

static void watch(struct watched *w, struct command_result *out)
{
    struct err err = {0};
    bool ended;

    while (w->alive >= 0 || w->output >= 0) {
        if (turn(w, out, &err))
            continue;
        ended = w->alive < 0;
        kill_session(w);
        out->damaged = err.kind == ERR_CORRUPT;
        if (err.kind != ERR_NONE)
            (void)snprintf(out->trouble, sizeof out->trouble, "%s", err.text);
        else
            out->end = COMMAND_TIMED_OUT;
        if (err.kind != ERR_NONE || !ended)
            return;
        break; /* only what it left behind was still there: its status counts */
    }
    out->end = WIFSIGNALED(w->status) ? COMMAND_SIGNALLED : COMMAND_EXITED;
    out->code = WIFSIGNALED(w->status) ? WTERMSIG(w->status) : WEXITSTATUS(w->status);
}

void command_run(const struct command_job *job, int content_fd, struct command_result *out)
{
    struct watched w = {.alive = -1, .input = -1, .output = -1, .waiting = BUF_INIT(16 * 1024 * 1024)};
    bool begun = false;

    *out = (struct command_result){.end = COMMAND_NOT_BEGUN};
    (void)signal(SIGPIPE, SIG_IGN);
    if (job->arguments < 1 || job->texts.count < job->arguments)
        (void)snprintf(out->trouble, sizeof out->trouble, "no program to start");
    else
        begun = begin(job, &w, out);
    if (begun) {
        w.content = queue_reader_open_at(content_fd, job->content_offset, "queue file", 0);
        w.until_us = clock_monotonic_us() + job->time_limit_us;
        (void)buf_add(&w.waiting, slice_text(job->head));
        watch(&w, out);
        queue_reader_close(w.content);
    }
    close_one(&w.input);
    close_one(&w.output);
    close_one(&w.alive);
    buf_done(&w.waiting);
}
