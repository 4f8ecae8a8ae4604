#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/log/log.h"

/* A datagram socket that plays postlogd, in a folder of its own. */
struct receiver {
    char folder[64], path[80];
    int fd;
};

static void bind_receiver(struct receiver *r)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, r->path, strlen(r->path));
    r->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(r->fd, (struct sockaddr *)&address, sizeof address), 0);
}

static void start_receiver(struct receiver *r)
{
    *r = (struct receiver){.folder = "/tmp/waybill-log-XXXXXX"};
    assert_non_null(mkdtemp(r->folder));
    (void)snprintf(r->path, sizeof r->path, "%s/postlog", r->folder);
    bind_receiver(r);
}

static void end_receiver(struct receiver *r)
{
    (void)close(r->fd);
    (void)unlink(r->path);
    (void)rmdir(r->folder);
}

/* The next datagram's text behind the time and host; "" when there is none. */
static const char *next(struct receiver *r, char line[3000])
{
    ssize_t n = recv(r->fd, line, 2999, MSG_DONTWAIT);

    line[n > 0 ? n : 0] = '\0';
    return n > 16 ? line + 16 : "";
}

static struct log *open_log(const struct receiver *r)
{
    const struct log_config config = {
        .sink = LOG_SINK_POSTLOG, .tag = "postfix/test", .host = "mx", .postlog_path = r->path};

    return log_open(&config);
}

/* Of a long text 2000 bytes go out. */
static void long_lines_are_cut(void **state)
{
    struct receiver r;
    char line[3000], text[3000];
    struct log *log;

    (void)state;
    start_receiver(&r);
    log = open_log(&r);
    memset(text, 'x', sizeof text);
    log_line(log, LOG_LEVEL_INFO, slice_of(text, sizeof text));
    assert_int_equal(strspn(strchr(next(&r, line), ']') + 3, "x"), 2000);
    log_close(log);
    end_receiver(&r);
}

static void lines_to_postlogd(void **state)
{
    struct receiver r;
    char line[3000], expected[500];
    struct log *log;

    (void)state;
    start_receiver(&r);
    log = open_log(&r);
    log_line(log, LOG_LEVEL_INFO, S("plain \001\t\x7f" "b\xc3\xa9 \xc3 \xe2\x82\xac \xed\xa0\x80 \xf0\x9f\x93\xa7 \xc0\x80\xe2\x82"));
    log_line(log, LOG_LEVEL_WARNING, S("careful"));
    log_line(log, LOG_LEVEL_PANIC, S(""));
    (void)snprintf(expected, sizeof expected, "mx postfix/test[%d]: plain ???b\xc3\xa9 ? \xe2\x82\xac ??? \xf0\x9f\x93\xa7 ????", (int)getpid());
    assert_string_equal(next(&r, line), expected);
    (void)snprintf(expected, sizeof expected, "mx postfix/test[%d]: warning: careful", (int)getpid());
    assert_string_equal(next(&r, line), expected);
    (void)snprintf(expected, sizeof expected, "mx postfix/test[%d]: panic: ", (int)getpid());
    assert_string_equal(next(&r, line), expected);
    assert_string_equal(next(&r, line), "");
    assert_int_equal(log_lost(log), 0);
    log_close(log);
    end_receiver(&r);
}

static bool is_loss(const char *line)
{
    return strstr(line, "log lines were lost") != NULL;
}

/* A slow reader: takes lines until "end", ten at a time; 0 when none was missing. */
static int read_slowly(struct receiver *r, int lines)
{
    struct pollfd ready = {.fd = r->fd, .events = POLLIN};
    char line[3000], expected[20];

    for (int i = 0; i < lines; i++) {
        if (i % 10 == 0)
            (void)usleep(100);
        (void)poll(&ready, 1, 60000);
        (void)snprintf(expected, sizeof expected, ": %d", i);
        if (strstr(next(r, line), expected) == NULL)
            return 1;
    }
    return 0;
}

static void slow_reader(bool keeps)
{
    enum { LINES = 20000 };
    struct receiver r;
    char text[20];
    struct log *log;
    int status;
    pid_t reader;

    start_receiver(&r);
    reader = fork();
    if (reader == 0)
        _exit(read_slowly(&r, LINES));
    log = open_log(&r);
    if (keeps)
        log_keep(log);
    for (int i = 0; i < LINES; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        log_line(log, LOG_LEVEL_INFO, slice_text(text));
        if (i % 100 == 0)
            log_flush(log);
    }
    assert_int_equal(log_lost(log), 0);
    log_close(log);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
    end_receiver(&r);
}

static void a_slow_reader_loses_nothing(void **state)
{
    (void)state;
    slow_reader(false);
    slow_reader(true);
}

/* Takes all there is, in whatever way it comes; how many, without those that tell of losses; *TOLD is what these say. */
static unsigned take_all(struct receiver *r, struct log *log, unsigned long *told)
{
    unsigned received = 0;
    char line[3000];

    *told = 0;
    do {
        for (log_flush(log); *next(r, line) != '\0';)
            if (is_loss(line))
                *told += strtoul(strstr(line, "warning: ") + strlen("warning: "), NULL, 10);
            else
                received++;
    } while (log_retry_ms(log) > 0);
    while (*next(r, line) != '\0')
        received += !is_loss(line);
    return received;
}

/* One that does not read is waited for once, not for each line; when it is back, it is told without a further line. */
static void dead_reader(bool keeps)
{
    struct receiver r;
    struct log *log;
    unsigned long told;
    int64_t began_us = clock_monotonic_us();
    unsigned received;

    start_receiver(&r);
    log = open_log(&r);
    if (keeps)
        log_keep(log);
    for (int i = 0; i < 20000; i++) /* longer than the one that tells of losses */
        log_line(log, LOG_LEVEL_INFO, S("to=<someone@some.example>, relay=none, delay=0.07, status=sent (for good)"));
    assert_in_range(clock_monotonic_us() - began_us, 1000000, 100 * 1000000);
    assert_true(log_lost(log) > 0);
    assert_int_equal(log_retry_ms(log), 1000);
    received = take_all(&r, log, &told);
    assert_int_equal(told, log_lost(log));
    assert_int_equal(received + told, 20000);
    if (keeps)
        assert_true(received > 1000);
    log_line(log, LOG_LEVEL_INFO, S("after"));
    assert_int_equal(log_retry_ms(log), 0);
    log_close(log);
    end_receiver(&r);
}

static void a_dead_reader_is_waited_for_once(void **state)
{
    (void)state;
    dead_reader(false);
    dead_reader(true);
}

/* What waits in the parent is sent by the parent alone. */
static void a_child_sends_nothing_of_its_parents(void **state)
{
    struct receiver r;
    struct log *log;
    unsigned long told;
    int status;
    pid_t child;

    (void)state;
    start_receiver(&r);
    log = open_log(&r);
    log_keep(log);
    for (int i = 0; i < 1000; i++)
        log_line(log, LOG_LEVEL_INFO, S("parent"));
    child = fork();
    if (child == 0) {
        char line[3000];

        while (*next(&r, line) != '\0')
            continue;
        log_line(log, LOG_LEVEL_INFO, S("child"));
        _exit(strstr(next(&r, line), "child") != NULL && *next(&r, line) == '\0' ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_in_range(take_all(&r, log, &told), 1, 999);
    assert_int_equal(told, 0);
    log_close(log);
    end_receiver(&r);
}

static struct log *handlers_log;
static volatile sig_atomic_t handled;

static void log_in_handler(int signo)
{
    (void)signo;
    handled = true;
    log_line(handlers_log, LOG_LEVEL_INFO, S("handler"));
}

/* A handler's line, in the midst of waiting, is lost or sent, and leaves what is kept alone. */
static void a_handler_may_log(void **state)
{
    const struct itimerval once = {{0, 0}, {0, 300000}}; /* in the midst of the second */
    struct receiver r;
    unsigned long told;
    unsigned received;

    (void)state;
    start_receiver(&r);
    handlers_log = open_log(&r);
    log_keep(handlers_log);
    while (log_retry_ms(handlers_log) == 0)
        log_line(handlers_log, LOG_LEVEL_INFO, S("flood"));
    (void)signal(SIGALRM, log_in_handler);
    (void)setitimer(ITIMER_REAL, &once, NULL);
    while (log_lost(handlers_log) == 0 || log_retry_ms(handlers_log) < 1000)
        log_line(handlers_log, LOG_LEVEL_INFO, S("flood"));
    assert_true(handled);
    received = take_all(&r, handlers_log, &told);
    assert_true(received > 1000);
    assert_int_equal(told, log_lost(handlers_log));
    log_close(handlers_log);
    end_receiver(&r);
}

/* A burst that fits in memory loses nothing and keeps its order. */
static void bursts(void **state)
{
    struct receiver r;
    char line[3000], text[20];
    struct log *log;
    int expected = 0;

    (void)state;
    start_receiver(&r);
    log = open_log(&r);
    log_keep(log);
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        log_line(log, LOG_LEVEL_INFO, slice_text(text));
    }
    assert_int_equal(log_lost(log), 0);
    for (; expected < 2000; log_flush(log))
        while (*next(&r, line) != '\0') {
            (void)snprintf(text, sizeof text, ": %d", expected++);
            assert_non_null(strstr(line, text));
        }
    log_close(log);
    end_receiver(&r);
}

/* What waited for the old reader does not come to the new one, which is told that it is lost. */
static void another_sink(void **state)
{
    struct receiver old, new;
    const struct log_config config = {
        .sink = LOG_SINK_POSTLOG, .tag = "postfix/test", .host = "mx", .postlog_path = new.path};
    char line[3000];
    struct log *log;

    (void)state;
    start_receiver(&old);
    start_receiver(&new);
    log = open_log(&old);
    log_keep(log);
    while (log_retry_ms(log) == 0)
        log_line(log, LOG_LEVEL_INFO, S("old"));
    end_receiver(&old);
    log_reopen(log, &config);
    assert_true(log_lost(log) > 0);
    log_line(log, LOG_LEVEL_INFO, S("new"));
    assert_true(is_loss(next(&new, line)));
    assert_non_null(strstr(next(&new, line), ": new"));
    assert_string_equal(next(&new, line), "");
    log_close(log);
    end_receiver(&new);
}

/* For a reader that takes nothing no process stays; as soon as it takes a line, it does. */
static void what_is_kept_for_nobody(void **state)
{
    struct receiver r;
    char line[3000];
    struct log *log;
    int64_t began_us = clock_monotonic_us();

    (void)state;
    start_receiver(&r);
    log = open_log(&r);
    log_keep(log);
    for (int i = 0; i < 1000; i++)
        log_line(log, LOG_LEVEL_INFO, S("x"));
    for (; log_has_kept(log); log_flush(log))
        (void)usleep(10000);
    assert_true(clock_monotonic_us() - began_us >= 1000000);
    assert_true(log_retry_ms(log) > 0);
    while (!log_has_kept(log) && log_retry_ms(log) > 0) {
        (void)next(&r, line);
        log_flush(log);
    }
    assert_true(log_has_kept(log));
    end_receiver(&r);
    log_close(log);
}

static void a_receiver_that_comes_back(void **state)
{
    struct receiver r;
    char line[3000];
    struct log *log;

    (void)state;
    start_receiver(&r);
    (void)close(r.fd);
    (void)unlink(r.path);
    log = open_log(&r);
    log_line(log, LOG_LEVEL_INFO, S("nobody is there"));
    assert_int_equal(log_lost(log), 1);
    bind_receiver(&r);
    log_line(log, LOG_LEVEL_INFO, S("one"));
    assert_non_null(strstr(next(&r, line), "1 log lines were lost"));
    assert_non_null(strstr(next(&r, line), "one"));
    (void)close(r.fd);
    (void)unlink(r.path);
    bind_receiver(&r);
    log_line(log, LOG_LEVEL_INFO, S("two"));
    assert_non_null(strstr(next(&r, line), "two"));
    log_close(log);
    end_receiver(&r);
}

/* The socket is the first free descriptor, there or not. */
static void syslog_takes_the_first_descriptor(void **state)
{
    const struct log_config config = {.sink = LOG_SINK_SYSLOG, .tag = "postfix/test"};
    int free_one = dup(0);
    struct log *log;

    (void)state;
    (void)close(free_one);
    log = log_open(&config);
    assert_true(fcntl(free_one, F_GETFD) >= 0);
    log_reopen(log, &config);
    assert_true(fcntl(free_one, F_GETFD) >= 0);
    log_close(log);
    assert_true(fcntl(free_one, F_GETFD) < 0);
}

/* Runs log_line with descriptor FD going to a pipe, and gives what came out. */
static void catch_line(const struct log_config *config, int fd, char *out, size_t out_bytes)
{
    int ends[2], kept = dup(fd);
    struct log *log;
    ssize_t n;

    assert_int_equal(pipe(ends), 0);
    (void)dup2(ends[1], fd);
    log = log_open(config);
    log_line(log, LOG_LEVEL_FATAL, S("text"));
    log_close(log);
    (void)dup2(kept, fd);
    (void)close(kept);
    (void)close(ends[1]);
    n = read(ends[0], out, out_bytes - 1);
    out[n > 0 ? n : 0] = '\0';
    (void)close(ends[0]);
}

static void stdout_and_stderr(void **state)
{
    const struct log_config to_stdout = {.sink = LOG_SINK_STDOUT, .tag = "postfix/test", .host = "mx"};
    const struct log_config to_stderr = {.sink = LOG_SINK_NONE, .also_stderr = true, .stderr_name = "postcat"};
    char line[3000], expected[500];

    (void)state;
    catch_line(&to_stdout, STDOUT_FILENO, line, sizeof line);
    (void)snprintf(expected, sizeof expected, "mx postfix/test[%d]: fatal: text\n", (int)getpid());
    assert_string_equal(line + 16, expected);
    catch_line(&to_stderr, STDERR_FILENO, line, sizeof line);
    assert_string_equal(line, "postcat: fatal: text\n");
}

/* What a log remembers from line to line, the second and the process, is looked at for each line. */
static void remembers_no_past(void **state)
{
    struct receiver r;
    char line[3000], expected[500];
    struct log *log;
    pid_t child;

    (void)state;
    start_receiver(&r);
    log = open_log(&r);
    for (int i = 0; i < 2; i++) {
        char before[16], after[16];

        (void)usleep((useconds_t)(1000000 - clock_wall_us() % 1000000)); /* to the next second */
        log_print_time(clock_wall_us(), before);
        log_line(log, LOG_LEVEL_INFO, S("x"));
        log_print_time(clock_wall_us(), after);
        (void)next(&r, line);
        assert_true(memcmp(line, before, 15) == 0 || memcmp(line, after, 15) == 0);
    }
    child = fork();
    if (child == 0) {
        log_line(log, LOG_LEVEL_INFO, S("child"));
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)snprintf(expected, sizeof expected, "mx postfix/test[%d]: child", (int)child);
    assert_string_equal(next(&r, line), expected);
    log_close(log);
    end_receiver(&r);
}

/* As in a child that has set out its descriptors for another program and then cannot become it. */
static void a_descriptor_that_was_taken(void **state)
{
    struct receiver r;
    char line[3000];
    int pipe_ends[2], taken;
    struct log *log;

    (void)state;
    start_receiver(&r);
    taken = dup(r.fd); /* the next free descriptor */
    (void)close(taken);
    log = open_log(&r);
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(dup2(pipe_ends[1], taken), taken);
    log_line(log, LOG_LEVEL_FATAL, S("cannot start"));
    assert_non_null(strstr(next(&r, line), "fatal: cannot start"));
    assert_int_equal(write(taken, "x", 1), 1); /* still open */
    (void)close(taken);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
    log_close(log);
    end_receiver(&r);
}

static void times(void **state)
{
    char text[16];

    (void)state;
    (void)setenv("TZ", "UTC", 1);
    tzset();
    log_print_time(1700759904LL * 1000000, text);
    assert_string_equal(text, "Nov 23 17:18:24");
    log_print_time(1688947628LL * 1000000, text);
    assert_string_equal(text, "Jul 10 00:07:08");
    log_print_time(0, text);
    assert_string_equal(text, "Jan  1 00:00:00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_to_postlogd), cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(a_slow_reader_loses_nothing), cmocka_unit_test(a_dead_reader_is_waited_for_once),
        cmocka_unit_test(a_child_sends_nothing_of_its_parents), cmocka_unit_test(a_handler_may_log),
        cmocka_unit_test(bursts), cmocka_unit_test(another_sink), cmocka_unit_test(what_is_kept_for_nobody),
        cmocka_unit_test(a_receiver_that_comes_back),
        cmocka_unit_test(syslog_takes_the_first_descriptor),
        cmocka_unit_test(stdout_and_stderr),
        cmocka_unit_test(remembers_no_past),
        cmocka_unit_test(a_descriptor_that_was_taken),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
