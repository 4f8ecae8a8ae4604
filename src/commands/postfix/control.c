#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "commands/postfix/instance.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/run/deadline.h"

#define NOT_RUNNING "the Postfix mail system is not running"

/* What master waits for its services, beyond stop_time_limit, and then some. */
enum { STOP_SECONDS = 8, SAID_EVERY_SECONDS = 5, POLLS_PER_SECOND = 20, WATCH_US = 1000000 / POLLS_PER_SECOND };

static const char quick_start_mark[] = "quick-start";

/* `master -t` ends with 0 when nobody holds the lock of the pid file. */
static bool is_running(struct instance *i)
{
    char *argv[] = {(char *)"master", (char *)"-t", NULL};

    return run_program(i, i->params->daemon_directory, argv) == 1;
}

static bool master_exists(struct instance *i)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);

    buf_addf(&path, "%s/master", i->params->daemon_directory);
    return access(buf_text(&path), X_OK) == 0 || say_fatal(i, "no Postfix master program %s!", buf_text(&path)) == 0;
}

/* 0: there is none to be had. */
static pid_t master_pid(struct instance *i)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    AUTO_BUF struct buf text = BUF_INIT(100);
    struct err err;
    int pid;

    buf_addf(&path, "%s/master.pid", i->params->process_id_directory);
    if (!file_read_path(buf_text(&path), &text, &err) || !slice_to_int(slice_trim(buf_slice(&text)), &pid) || pid <= 1)
        return 0;
    return pid;
}

/* Sends SIGNAL; false, said as fatal, when the system is not running. */
static bool signal_master(struct instance *i, const char *what, int signal)
{
    pid_t pid;

    if (!is_running(i)) {
        say_fatal(i, NOT_RUNNING);
        return false;
    }
    say(i, "%s the Postfix mail system", what);
    pid = master_pid(i);
    return pid > 0 && kill(pid, signal) == 0;
}

static bool prepare_start(struct instance *i, bool quick)
{
    if (!master_exists(i))
        return false;
    if (is_running(i)) {
        say_fatal(i, "the Postfix mail system is already running");
        return false;
    }
    quick |= unlink(quick_start_mark) == 0;
    if (!check_rows(i))
        return false;
    if (!check_folders(i) || (!quick && !postsuper_run(i, "-s"))) {
        say_fatal(i, "Postfix integrity check failed!");
        return false;
    }
    if (!quick)
        check_warn(i, false);
    say(i, "starting the Postfix mail system");
    /* Looks at each file, for which with very much mail on a slow disk nobody should wait. */
    if (!quick)
        postsuper_later(i, "-p");
    return true;
}

/* Process lists show the whole path. */
static void add_title(struct buf *title, const struct instance *i)
{
    (void)buf_addf(title, "%s/master", i->params->daemon_directory);
}

int control_start(struct instance *i, bool quick)
{
    AUTO_BUF struct buf title = BUF_INIT(4096);
    char *argv[] = {NULL, (char *)"-w", NULL};

    if (!prepare_start(i, quick))
        return 1;
    add_title(&title, i);
    argv[0] = title.p;
    if (run_program(i, i->params->daemon_directory, argv) != 0)
        return say_fatal(i, "mail system startup failed");
    return 0;
}

int control_start_foreground(struct instance *i)
{
    /* As the first process of a container master must reap what others leave behind. */
    AUTO_BUF struct buf title = BUF_INIT(4096);
    char *argv[] = {NULL, (char *)(getpid() == 1 ? "-i" : "-s"), NULL};

    if (!prepare_start(i, false))
        return 1;
    add_title(&title, i);
    argv[0] = title.p;
    return become_program(i, i->params->daemon_directory, argv) == 0 ? 0 : say_fatal(i, "mail system startup failed");
}

/* Waits up to a second for master to end. */
static bool ends_within_a_second(struct instance *i)
{
    for (int n = 0; n < POLLS_PER_SECOND; n++) {
        if (!is_running(i))
            return true;
        (void)usleep(WATCH_US);
    }
    return false;
}

int control_stop(struct instance *i)
{
    int seconds = (int)(i->params->stop_time_limit_us / SECONDS(1)) + STOP_SECONDS;
    pid_t pid;

    if (!master_exists(i) || !signal_master(i, "stopping", SIGTERM))
        return 1;
    for (int n = 0; n < seconds; n++) {
        if (ends_within_a_second(i))
            return 0;
        if (n % SAID_EVERY_SECONDS == 0)
            say(i, "waiting for the Postfix mail system to terminate");
    }
    say(i, "stopping the Postfix mail system with force");
    pid = master_pid(i);
    return pid > 0 && kill(-pid, SIGKILL) == 0 ? 0 : 1;
}

/* The next start then leaves the queue unchecked; the status is 0 whatever happened, as init scripts expect. */
int control_quick_stop(struct instance *i)
{
    AUTO_FD int fd = open(quick_start_mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)control_stop(i);
    return 0;
}

int control_abort(struct instance *i)
{
    return master_exists(i) && signal_master(i, "aborting", SIGINT) ? 0 : 1;
}

int control_reload(struct instance *i)
{
    pid_t pid;

    if (!master_exists(i))
        return 1;
    if (!is_running(i))
        return say_fatal(i, NOT_RUNNING);
    if (!check_rows(i))
        return 1;
    say(i, "refreshing the Postfix mail system");
    if (!postsuper_run(i, "active"))
        return 1;
    pid = master_pid(i);
    if (pid == 0 || kill(pid, SIGHUP) != 0)
        return 1;
    postsuper_later(i, NULL);
    return 0;
}

int control_flush(struct instance *i)
{
    char *argv[] = {(char *)"postqueue", (char *)"-f", NULL};

    return become_program(i, i->params->command_directory, argv);
}

int control_status(struct instance *i)
{
    if (!master_exists(i))
        return 1;
    if (!is_running(i)) {
        say(i, NOT_RUNNING);
        return 1;
    }
    say(i, "the Postfix mail system is running: PID: %ld", (long)master_pid(i));
    return 0;
}

int control_check(struct instance *i)
{
    if (!master_exists(i) || !check_rows(i) || !check_folders(i) || !postsuper_run(i, NULL))
        return 1;
    check_warn(i, true);
    return 0;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
/* The format is the administrator's. */
static bool print_suffix(const char *format, char *to, size_t bytes)
{
    time_t now = time(NULL);
    struct tm local;

    return strftime(to, bytes, format, localtime_r(&now, &local)) > 0;
}
#pragma GCC diagnostic pop

/* Renames the log file, lets postlogd open a new one, and compresses the old. */
int control_logrotate(struct instance *i)
{
    const struct params *p = i->params;
    char suffix[64], *argv[3];
    AUTO_BUF struct buf old = BUF_INIT(4096);

    if (p->maillog_file[0] == '\0' || strcmp(p->maillog_file, "/dev/stdout") == 0)
        return say_fatal(i, "the maillog_file parameter names no file that could be rotated");
    if (!print_suffix(p->maillog_file_rotate_suffix, suffix, sizeof suffix))
        return say_fatal(i, "maillog_file_rotate_suffix: bad value: %s", p->maillog_file_rotate_suffix);
    buf_addf(&old, "%s.%s", p->maillog_file, suffix);
    if (rename(p->maillog_file, buf_text(&old)) != 0)
        return say_fatal(i, "rename %s: %s", p->maillog_file, strerror(errno));
    if (is_running(i)) {
        pid_t pid = master_pid(i);

        if (pid > 0)
            (void)kill(pid, SIGHUP);
        (void)sleep(1);
    }
    argv[0] = (char *)p->maillog_file_compressor;
    argv[1] = old.p;
    argv[2] = NULL;
    (void)execvp(argv[0], argv);
    return say_fatal(i, "cannot execute %s: %s", argv[0], strerror(errno));
}
