#include "core/log/log.h"

#include <errno.h>
#include <poll.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/bug.h"
#include "core/base/clock.h"
#include "core/base/utf8.h"
#include "core/log/outlet.h"
#include "core/log/own_pid.h"

/* Of a text, 2000 bytes are shown, as everywhere in the field: log readers have buffers too. */
enum {
    TEXT_BYTES_MOST = 2000,
    STDERR_BYTES_MOST = 2048,
    TIME_BYTES = 16,
    RETRY_MS = 20,
    RETRY_DEAD_MS = 1000
};

static const char syslog_path[] = "/dev/log";
static const char usual_postlog_path[] = "public/postlog";

/* As numbers of the syslog protocol. */
static const struct {
    int severity;
    slice words;
} levels[] = {
    [LOG_LEVEL_INFO] = {LOG_INFO, S_INIT("")},         [LOG_LEVEL_WARNING] = {LOG_WARNING, S_INIT("warning: ")},
    [LOG_LEVEL_ERROR] = {LOG_ERR, S_INIT("error: ")},  [LOG_LEVEL_FATAL] = {LOG_CRIT, S_INIT("fatal: ")},
    [LOG_LEVEL_PANIC] = {LOG_CRIT, S_INIT("panic: ")},
};
static const struct {
    const char *name;
    int number;
} facilities[] = {
    {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},     {"daemon", LOG_DAEMON},
    {"ftp", LOG_FTP},       {"kern", LOG_KERN},         {"lpr", LOG_LPR},       {"mail", LOG_MAIL},
    {"news", LOG_NEWS},     {"syslog", LOG_SYSLOG},     {"user", LOG_USER},     {"uucp", LOG_UUCP},
    {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},     {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
    {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},     {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
};

static int facility_number(const char *name)
{
    for (size_t i = 0; name != NULL && i < COUNT_OF(facilities); i++)
        if (strcmp(facilities[i].name, name) == 0)
            return facilities[i].number;
    return LOG_MAIL;
}

struct log {
    enum log_sink sink;
    int facility;
    struct outlet out; /* for the sinks that are sockets */
    bool also_stderr, ascii_only;
    char *tag, *host, *postlog_path, *stderr_name;
    char time_text[TIME_BYTES]; /* of time_s; most lines are of the same second as the one before */
    int64_t time_s;
    struct buf sender; /* "tag[pid]: "; empty: to be made */
    struct own_pid own_pid;
    pid_t sender_pid;  /* whose lines are kept and counted here */
    unsigned long lost, lost_untold;
};

/* What a process keeps is not its child's to send, and a child has no loop. */
static void be_own(struct log *log)
{
    pid_t pid = own_pid_get(&log->own_pid);

    if (log->sender_pid == pid)
        return;
    log->sender_pid = pid;
    buf_clear(&log->sender);
    outlet_disown(&log->out);
    log->lost = log->lost_untold = 0;
}

/* ---- writing ---- */

void log_print_time(int64_t wall_us, char to[16])
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;

    if (localtime_r(&seconds, &tm) == NULL)
        memset(&tm, 0, sizeof tm);
    (void)snprintf(to, TIME_BYTES, "%.3s %2u %02u:%02u:%02u", months[(unsigned)tm.tm_mon % 12],
                   (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
                   (unsigned)tm.tm_sec % 100);
}

/* How many bytes at the front of TEXT may be written as they are. */
static size_t fit_bytes(slice text, bool ascii_only)
{
    size_t n = 0, more;

    while (n < text.n) {
        bool plain = (unsigned char)text.p[n] < 128;

        more = plain ? ascii_is_print(text.p[n]) : ascii_only ? 0 : utf8_length(slice_skip(text, n));
        if (more == 0)
            break;
        n += more;
    }
    return n;
}

/* Adds at most MOST bytes of TEXT, unfit ones as '?'. */
static void add_printable(struct buf *line, slice text, size_t most, bool ascii_only)
{
    text = slice_head(text, most);
    for (;;) {
        size_t n = fit_bytes(text, ascii_only);

        (void)buf_add(line, slice_head(text, n));
        if (n == text.n)
            return;
        (void)buf_add_char(line, '?');
        text = slice_skip(text, n + 1);
    }
}

static void write_stdout(slice line, bool *sent)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

    *sent = poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0 &&
            write(STDOUT_FILENO, line.p, line.n) == (ssize_t)line.n;
}

static const char *time_text(struct log *log)
{
    int64_t now_us = clock_wall_us();

    if (log->time_s != now_us / 1000000) {
        log->time_s = now_us / 1000000;
        log_print_time(now_us, log->time_text);
    }
    return log->time_text;
}

static slice sender(struct log *log)
{
    if (log->sender.n == 0)
        (void)buf_addf(&log->sender, "%s[%d]: ", log->tag, (int)log->sender_pid);
    return buf_slice(&log->sender);
}

static bool write_line(struct log *log, enum log_level level, slice text)
{
    AUTO_BUF struct buf line = BUF_INIT(TEXT_BYTES_MOST + 1024);
    bool sent = true;

    (void)buf_reserve(&line, slice_head(text, TEXT_BYTES_MOST).n + 128); /* seldom more */
    if (log->sink == LOG_SINK_SYSLOG)
        (void)buf_addf(&line, "<%d>", log->facility | levels[level].severity);
    (void)buf_add_text(&line, time_text(log));
    (void)buf_add_char(&line, ' ');
    if (log->sink != LOG_SINK_SYSLOG) {
        (void)buf_add_text(&line, log->host);
        (void)buf_add_char(&line, ' ');
    }
    (void)buf_add(&line, sender(log));
    (void)buf_add(&line, levels[level].words);
    add_printable(&line, text, TEXT_BYTES_MOST, log->ascii_only);
    switch (log->sink) {
    case LOG_SINK_SYSLOG:
    case LOG_SINK_POSTLOG:
        sent = outlet_send(&log->out, buf_slice(&line));
        break;
    case LOG_SINK_STDOUT:
        (void)buf_add_char(&line, '\n');
        write_stdout(buf_slice(&line), &sent);
        break;
    case LOG_SINK_NONE:
        break;
    }
    return sent;
}

static void write_stderr(const struct log *log, enum log_level level, slice text)
{
    AUTO_BUF struct buf line = BUF_INIT(STDERR_BYTES_MOST + 1024);

    (void)buf_addf(&line, "%s: %.*s", log->stderr_name, S_ARG(levels[level].words));
    add_printable(&line, text, STDERR_BYTES_MOST, log->ascii_only);
    (void)buf_add_char(&line, '\n');
    (void)!write(STDERR_FILENO, line.p, line.n);
}

/* Says first how many lines were lost, when there were any and this gets through. */
static bool tell_losses(struct log *log)
{
    char text[64];
    int n;

    if (log->lost_untold == 0)
        return true;
    n = snprintf(text, sizeof text, "%lu log lines were lost", log->lost_untold);
    if (!write_line(log, LOG_LEVEL_WARNING, (slice){text, (size_t)n}))
        return false;
    log->lost_untold = 0;
    return true;
}

/* ---- opening ---- */

static char *copy(const char *text, const char *otherwise)
{
    const char *from = text == NULL ? otherwise : text;

    return xstrndup(from, strlen(from));
}

static void set(struct log *log, const struct log_config *config)
{
    log->sink = config->sink;
    log->facility = facility_number(config->facility);
    log->also_stderr = config->also_stderr;
    log->ascii_only = config->ascii_only;
    log->tag = copy(config->tag, "postfix");
    log->host = copy(config->host, "localhost");
    log->postlog_path = copy(config->postlog_path, usual_postlog_path);
    log->stderr_name = copy(config->stderr_name, "postfix");
    log->out.path = log->sink == LOG_SINK_SYSLOG ? syslog_path : log->postlog_path;
    buf_init(&log->sender, TEXT_BYTES_MOST);
    log->sender_pid = own_pid_get(&log->own_pid);
}

static void free_texts(struct log *log)
{
    buf_done(&log->sender);
    free(log->tag);
    free(log->host);
    free(log->postlog_path);
    free(log->stderr_name);
}

/* Before the sink or the way a line looks changes: what is kept is for the old one. */
static void leave_sink(struct log *log)
{
    unsigned long dropped = outlet_finish(&log->out);

    log->lost += dropped;
    log->lost_untold += dropped;
    if (dropped == 0)
        (void)tell_losses(log);
    outlet_close(&log->out);
}

static bool has_socket(enum log_sink sink)
{
    return sink == LOG_SINK_SYSLOG || sink == LOG_SINK_POSTLOG;
}

struct log *log_open(const struct log_config *config)
{
    struct log *log = xcalloc(1, sizeof *log);

    own_pid_init(&log->own_pid);
    outlet_init(&log->out);
    set(log, config);
    if (has_socket(log->sink))
        outlet_open(&log->out);
    return log;
}

void log_close(struct log *log)
{
    if (log == NULL)
        return;
    be_own(log);
    leave_sink(log);
    free_texts(log);
    own_pid_done(&log->own_pid);
    free(log);
}

static bool is_same_sink(const struct log *log, const struct log_config *config)
{
    const char *path = config->postlog_path == NULL ? usual_postlog_path : config->postlog_path;

    return log->sink == config->sink && (log->sink != LOG_SINK_POSTLOG || strcmp(log->postlog_path, path) == 0);
}

void log_reopen(struct log *log, const struct log_config *config)
{
    bool same, keeps;

    be_own(log);
    same = is_same_sink(log, config);
    keeps = log->out.keeps;
    if (!same)
        leave_sink(log);
    free_texts(log);
    set(log, config);
    log->out.keeps = keeps;
    if (!same && has_socket(log->sink))
        outlet_open(&log->out);
}

/* ---- the interface ---- */

static void count(struct log *log, bool sent)
{
    log->lost += !sent;
    log->lost_untold += !sent;
}

void log_line(struct log *log, enum log_level level, slice text)
{
    int code = errno;

    be_own(log);
    if (log->also_stderr)
        write_stderr(log, level, text);
    count(log, tell_losses(log) && write_line(log, level, text));
    errno = code;
}

void log_packet(struct log *log, slice packet)
{
    int code = errno;

    be_own(log);
    count(log, tell_losses(log) && outlet_send(&log->out, packet));
    errno = code;
}

void log_keep(struct log *log)
{
    be_own(log);
    log->out.keeps = true;
}

void log_flush(struct log *log)
{
    int code = errno;

    be_own(log);
    if (outlet_flush(&log->out))
        (void)tell_losses(log);
    errno = code;
}

int log_retry_ms(const struct log *log)
{
    if (log->out.kept.n == 0 && log->lost_untold == 0)
        return 0;
    return log->out.kept.n == 0 || outlet_is_dead(&log->out) || outlet_is_silent(&log->out) ? RETRY_DEAD_MS : RETRY_MS;
}

bool log_has_kept(const struct log *log)
{
    return log->out.kept.n > 0 && !outlet_is_silent(&log->out);
}

unsigned long log_lost(const struct log *log)
{
    return log->lost;
}
