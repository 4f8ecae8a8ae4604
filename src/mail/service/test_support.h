/* mail/service/test_support.h - a daemon under a master that is played here.  For mail/service's tests alone.
 *
 * A test starts a service, which runs in a child of this process, talks to it at its listener, and reads what master
 * would be told; last comes end() or wait_end().  One child at a time can be reached: all listen at the same path.
 * set_up() and tear_down() are those of a group of tests: the configuration lies in a folder of its own. */
#ifndef MAIL_SERVICE_TEST_SUPPORT_H
#define MAIL_SERVICE_TEST_SUPPORT_H

#include "mail/service/service.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/bug.h"
#include "core/base/file.h"

static char directory[] = "/tmp/waybill-service-XXXXXX";

/* ---- what a daemon does ---- */

/* Writes what LINE is answered with. */
typedef bool answer_fn(struct stream *s, slice line, struct err *err);

static inline bool answer_same(struct stream *s, slice line, struct err *err)
{
    return stream_printf(s, NEVER, err, "%.*s\n", S_ARG(line));
}

/* A session of lines, each answered by ANSWER. */
static inline void converse(struct stream *s, answer_fn *answer)
{
    slice line;
    struct err err;

    while (stream_read_line(s, 100, NEVER, &line, &err) == STREAM_BARE_LF) {
        bool ok = answer(s, line, &err);

        service_answered();
        if (!ok || !stream_flush(s, NEVER, &err))
            return;
    }
}

static inline void echo(struct stream *s)
{
    converse(s, answer_same);
}

/* ---- master ---- */

struct child {
    pid_t pid;
    int status, flow_in, flow_out, errors; /* our ends */
    char path[100];                        /* of its listener */
};

static int flow_feed; /* from the child, too: where tokens come from */

/* Out of the way of the descriptors that a daemon is started with. */
static inline int high(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 100);

    assert_true(copy >= 0);
    assert_int_equal(close(fd), 0);
    return copy;
}

static inline int make_listener(const char *type, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int kind = strcmp(type, "unix-dgram") == 0 ? SOCK_DGRAM : SOCK_STREAM, fd;
    struct err err;

    (void)unlink(path);
    if (strcmp(type, "fifo") == 0) {
        assert_int_equal(mkfifo(path, 0622), 0);
        return open(path, O_RDWR | O_NONBLOCK);
    }
    if (kind == SOCK_STREAM)
        return local_listen(path, 100, &err);
    assert_true(text_from_slice(slice_text(path), at.sun_path, sizeof at.sun_path));
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* The child's: descriptors and environment as master leaves them, then the daemon. */
static inline void become(const struct service *service, int flow[2], int status, int listener, int errors,
                          const char *command)
{
    char *words = xstrndup(command, strlen(command)), *argv[16] = {NULL};
    int argc = 0, null = open("/dev/null", O_RDWR);

    for (char *at = words; at != NULL && argc < 15;) {
        argv[argc++] = at;
        at = strchr(at, ' ');
        if (at != NULL)
            *at++ = '\0';
    }
    (void)dup2(null, 0);
    (void)dup2(null, 1);
    (void)dup2(errors, 2);
    (void)dup2(flow[0], 3);
    (void)dup2(flow[1], 4);
    (void)dup2(status, 5);
    (void)dup2(listener, 6);
    (void)setenv("GENERATION", "12", 1); /* octal */
    _exit(service_main(service, argc, argv));
}

/* Starts SERVICE by COMMAND with a listener of TYPE, as in master.cf.  OUR_MASTER: with the mark of our own master. */
static inline struct child start(const struct service *service, bool our_master, const char *type, const char *command)
{
    struct child c = {0};
    int flow[2], flow_back[2], status[2], errors[2], listener;

    (void)snprintf(c.path, sizeof c.path, "%s/socket", directory);
    listener = high(make_listener(type, c.path));
    assert_int_equal(pipe2(flow, O_NONBLOCK), 0);
    assert_int_equal(pipe2(flow_back, O_NONBLOCK), 0);
    assert_int_equal(pipe(errors), 0);
    assert_int_equal(socketpair(AF_UNIX, our_master ? SOCK_SEQPACKET : SOCK_STREAM, 0, status), 0);
    for (int i = 0; i < 2; i++) {
        flow[i] = high(flow[i]);
        flow_back[i] = high(flow_back[i]);
        status[i] = high(status[i]);
        errors[i] = high(errors[i]);
    }
    flow_feed = flow[1];
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0)
        become(service, (int[2]){flow[0], flow_back[1]}, status[1], listener, errors[1], command);
    assert_int_equal(close(flow[0]) | close(flow_back[1]) | close(status[1]) | close(errors[1]) | close(listener), 0);
    c.status = status[0];
    c.flow_in = flow[1];
    c.flow_out = flow_back[0];
    c.errors = errors[0];
    return c;
}

static inline bool readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) == 1;
}

/* The next status message: 1 available, 0 taken, -1 none within a moment. */
static inline int next_status(const struct child *c, int ms)
{
    int message[3] = {0};

    if (!readable(c->status, ms) || read(c->status, message, sizeof message) != (ssize_t)sizeof message)
        return -1;
    assert_int_equal(message[0], c->pid);
    assert_int_equal(message[1], 10);
    return message[2];
}

/* What the daemon puts into the flow pipe next. */
static inline void expect_bytes(const struct child *c, const char *bytes, size_t n)
{
    char got[100] = "";

    assert_true(readable(c->flow_out, 5000));
    assert_int_equal(read(c->flow_out, got, sizeof got), (ssize_t)n);
    assert_memory_equal(got, bytes, n);
}

/* The exit status, or 1000 and the signal. */
static inline int wait_end(struct child *c)
{
    int status = 0;

    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    (void)close(c->status);
    (void)close(c->flow_in);
    (void)close(c->flow_out);
    (void)close(c->errors);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Closes the status channel, as master does at reload and stop. */
static inline int end(struct child *c)
{
    (void)shutdown(c->status, SHUT_RDWR);
    (void)close(c->status);
    c->status = -1;
    return wait_end(c);
}

static inline int dial(const struct child *c)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_true(text_from_slice(slice_text(c->path), to.sun_path, sizeof to.sun_path));
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Sends QUESTION and returns the answer; NULL: none came in time. */
static inline const char *ask(int fd, const char *question, int ms)
{
    static char answer[200];
    ssize_t n;

    assert_int_equal(send(fd, question, strlen(question), MSG_NOSIGNAL), (ssize_t)strlen(question));
    if (!readable(fd, ms) || (n = read(fd, answer, sizeof answer - 1)) <= 0)
        return NULL;
    answer[n] = '\0';
    return answer;
}

/* ---- a group of tests ---- */

static inline int set_up(void **state)
{
    AUTO_BUF struct buf main_cf = BUF_INIT(10000);
    char path[100];
    struct err err;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)buf_addf(&main_cf,
                   "queue_directory = %s\ncompatibility_level = 3.6\nmail_owner = root\nmyhostname = mx.test\n",
                   directory);
    (void)snprintf(path, sizeof path, "%s/main.cf", directory);
    fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(file_write_all(fd, buf_slice(&main_cf), &err));
    (void)close(fd);
    (void)snprintf(path, sizeof path, "%s/master.cf", directory);
    fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(file_write_all(fd, S("three unix - - n - 3 echo\nopen unix - - n - - echo\n"), &err));
    (void)close(fd);
    return setenv("MAIL_CONFIG", directory, 1);
}

static inline int tear_down(void **state)
{
    static const char *const names[] = {"main.cf", "master.cf", "socket"};
    char path[100];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    return rmdir(directory);
}

#endif
