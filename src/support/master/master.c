/* master(8): starts the services of master.cf on demand. */
#include "support/master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/log/log.h"
#include "core/sandbox/sandbox.h"
#include "mail/events/events.h"
#include "mail/service/log_lines.h"


enum { START_WAIT_SECONDS = 100 };

struct options {
    const char *config_directory;
    bool test, wait, init_process, keep_output, debug;
    int exit_after_seconds;
};

static NORETURN void usage(int status)
{
    (void)fprintf(status == 0 ? stdout : stderr,
                  "usage: master [-c config_dir] [-D] [-d] [-e seconds] [-i] [-s] [-t] [-v] [-w]\n"
                  "Starts the mail system's services as master.cf says. Use postfix(1) to start and stop it.\n"
                  "  -t  only tell whether one is running: exit 0 when not, 1 when it is\n"
                  "  -w  return when the service manager is up, or failed to come up\n"
                  "  -d  do not detach; -i  run as process 1; -s  keep the standard output; -e  stop after that time\n");
    exit(status);
}

static struct options parse_options(int argc, char **argv)
{
    struct options o = {0};
    int c;

    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        usage(0);
    while ((c = getopt(argc, argv, "c:Dde:istvw")) != -1)
        switch (c) {
        case 'c':
            o.config_directory = optarg;
            break;
        case 'd':
        case 'D':
            o.debug = true;
            break;
        case 'e':
            if (!slice_to_int(slice_text(optarg), &o.exit_after_seconds) || o.exit_after_seconds <= 0)
                usage(1);
            break;
        case 'i':
            o.init_process = true;
            break;
        case 's':
            o.keep_output = true;
            break;
        case 't':
            o.test = true;
            break;
        case 'v':
            master.verbose = true;
            break;
        case 'w':
            o.wait = true;
            break;
        default:
            usage(1);
        }
    if (optind < argc)
        usage(1);
    return o;
}

/* ---- locks: one master per queue directory, and one per data directory ---- */

/* True: locked and FD kept open for good.  False: *HELD tells that another master has it. */
static bool lock_file(const char *path, bool *held, struct err *err)
{
    char text[40];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int n;

    *held = false;
    if (fd < 0)
        return err_sys(err, "open lock file %s", path);
    fd = fd_keep_high(fd);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        *held = errno == EWOULDBLOCK;
        (void)err_sys(err, "open lock file %s: unable to set exclusive lock", path);
        (void)close(fd);
        return false;
    }
    n = snprintf(text, sizeof text, "%*lu\n", 32, (unsigned long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return err_sys(err, "write lock file %s", path);
    return true;
}

static int test_running(void)
{
    int fd = open("pid/master.pid", O_RDWR | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        event_fatal("open lock file pid/master.pid: %s", strerror(errno));
    return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : 1;
}

static void lock_all(void)
{
    AUTO_BUF struct buf data = BUF_INIT(4096);
    struct err err;
    bool held;
    int euid = master.rootless ? -1 : (int)master.mail_uid;

    if (!lock_file("pid/master.pid", &held, &err))
        event_fatal("%s", err.text);
    (void)buf_addf(&data, "%s/master.lock", master.params->data_directory);
    if (euid >= 0 && (setegid(master.mail_gid) != 0 || seteuid(master.mail_uid) != 0))
        event_fatal("act as %s: %s", master.params->mail_owner, strerror(errno));
    if (!lock_file(buf_text(&data), &held, &err)) {
        if (euid >= 0 && seteuid(0) != 0)
            bug("cannot become root again");
        event_fatal("%s", err.text);
    }
    if (euid >= 0 && (seteuid(0) != 0 || setegid(0) != 0))
        bug("cannot become root again");
}

/* ---- signals ---- */
static void on_child(int signo, void *arg)
{
    (void)signo;
    (void)arg;
    children_reap();
    stop_child_ended();
}

static void warn_unchanged(const char *name, const char *before, const char *now)
{
    if (strcmp(before, now) != 0)
        event_warning("ignoring %s parameter value change: old value: \"%s\", new value: \"%s\"; to change %s, stop and start "
                      "the mail system",
                      name, before, now, name);
}

static void on_reload(int signo, void *arg)
{
    struct params *fresh;
    struct err err;

    (void)signo;
    (void)arg;
    if (master.stopping)
        return;
    event_info("reload -- version %s, configuration %s", master.params->mail_version, master.config_directory);
    fresh = params_load(master.config_directory, "master", NULL, 0, &err);
    if (fresh == NULL) {
        event_warning("reload: %s; going on with the old configuration", err.text);
        return;
    }
    warn_unchanged("inet_interfaces", master.params->inet_interfaces, fresh->inet_interfaces);
    warn_unchanged("inet_protocols", master.params->inet_protocols, fresh->inet_protocols);
    warn_unchanged("queue_directory", master.params->queue_directory, fresh->queue_directory);
    params_free(master.params);
    master.params = fresh;
    environment_free(master.environment);
    master.environment = environment_make(fresh, master.config_directory);
    if (!services_load(&err)) {
        event_warning("reload: %s", err.text);
        return;
    }
    services_start_wakeups();
}

/* ---- start ---- */
static void open_log(const struct params *p)
{
    AUTO_BUF struct buf tag = BUF_INIT(200), host = BUF_INIT(300);
    bool to_file = p->maillog_file[0] != '\0';
    const char *dot = strchr(p->myhostname, '.');
    struct log_config config = {
        .sink = to_file ? LOG_SINK_POSTLOG : LOG_SINK_SYSLOG,
        .facility = p->syslog_facility,
        .postlog_path = "public/postlog",
        .also_stderr = isatty(2) != 0,
        .stderr_name = "master",
    };

    (void)buf_addf(&tag, "%s/master", p->syslog_name);
    (void)buf_add(&host, slice_of(p->myhostname, dot == NULL ? strlen(p->myhostname) : (size_t)(dot - p->myhostname)));
    config.tag = buf_text(&tag);
    config.host = buf_text(&host);
    events_open(log_open(&config));
}

static void find_owner(const struct params *p)
{
    struct passwd *owner;

    master.rootless = geteuid() != 0;
    if (master.rootless) {
        master.mail_uid = geteuid();
        master.mail_gid = getegid();
        return;
    }
    owner = getpwnam(p->mail_owner);
    if (owner == NULL)
        event_fatal("file %s/main.cf: parameter mail_owner: unknown user name value: %s", master.config_directory, p->mail_owner);
    master.mail_uid = owner->pw_uid;
    master.mail_gid = owner->pw_gid;
}

static void null_standard_descriptors(void)
{
    int fd = open("/dev/null", O_RDWR);

    for (int i = 0; i < 3; i++)
        if (fd >= 0 && fd != i)
            (void)dup2(fd, i);
    if (fd > 2)
        (void)close(fd);
}

static void load_parameters(const struct options *o)
{
    AUTO_BUF struct buf directory = BUF_INIT(4096);
    struct err err;

    if (!params_config_directory(o->config_directory, false, &directory, &err))
        event_fatal("%s", err.text);
    master.config_directory = xstrndup(directory.p, directory.n);
    master.params = params_load(master.config_directory, "master", NULL, 0, &err);
    if (master.params == NULL)
        event_fatal("%s", err.text);
    find_owner(master.params);
    if (chdir(master.params->queue_directory) != 0)
        event_fatal("chdir %s: %s", master.params->queue_directory, strerror(errno));
}

/* The parent of `master -w`: 0 when the child says that it is up. */
static NORETURN void wait_for_child(int fd, pid_t child)
{
    char ready;
    int status;

    (void)alarm(START_WAIT_SECONDS);
    if (read(fd, &ready, 1) == 1)
        _exit(0);
    if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) != 0)
        _exit(WEXITSTATUS(status));
    event_fatal("daemon initialization failure -- see logs for details");
}

static int ready_fd = -1;

static void detach(const struct options *o)
{
    int pipe_fds[2];
    pid_t child;

    if (!o->wait)
        return;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        event_fatal("pipe: %s", strerror(errno));
    child = fork();
    if (child < 0)
        event_fatal("fork: %s", strerror(errno));
    if (child != 0) {
        (void)close(pipe_fds[1]);
        wait_for_child(pipe_fds[0], child);
    }
    (void)close(pipe_fds[0]);
    ready_fd = fd_keep_high(pipe_fds[1]);
}

static bool watch_signals(struct err *err)
{
    return signal_watch(SIGTERM, stop_in_order, NULL, err) && signal_watch(SIGINT, stop_at_once, NULL, err) &&
           signal_watch(SIGQUIT, stop_at_once, NULL, err) && signal_watch(SIGCHLD, on_child, NULL, err) &&
           signal_watch(SIGHUP, on_reload, NULL, err);
}

static void exit_now(void *arg)
{
    (void)arg;
    stop_in_order(SIGTERM, NULL);
}

static void run(void *arg)
{
    const struct options *o = arg;
    static struct timer end;
    struct err err;

    loop_watchdog(master.params->queue_watchdog_timeout_us);
    log_lines_begin();
    if (!watch_signals(&err) || !services_load(&err))
        event_fatal("%s", err.text);
    event_info("daemon started -- version %s, configuration %s", master.params->mail_version, master.config_directory);
    if (master.params->sandbox && sandbox_missing() != NULL) /* said here, once, for all that are started */
        event_info("%s", sandbox_missing());
    services_start_wakeups();
    if (ready_fd >= 0) {
        (void)!write(ready_fd, "", 1);
        (void)close(ready_fd);
        ready_fd = -1;
    }
    if (o->exit_after_seconds > 0)
        timer_set(&end, deadline_in(SECONDS(o->exit_after_seconds)), exit_now, NULL);
    while (task_sleep(NEVER, &err))
        continue;
}

static void open_flow(void)
{
    if (pipe2(master.flow, O_CLOEXEC | O_NONBLOCK) != 0)
        event_fatal("pipe: %s", strerror(errno));
    master.flow[0] = fd_keep_high(master.flow[0]);
    master.flow[1] = fd_keep_high(master.flow[1]);
}

int main(int argc, char **argv)
{
    struct options o = parse_options(argc, argv);
    struct err err;

    (void)umask(077);
    list_init(&master.services);
    master.foreground = o.debug;
    load_parameters(&o);
    if (o.test)
        return test_running();
    open_log(master.params);
    detach(&o);
    if (!o.init_process) /* else a stop would end the script that started us, too: it is in our group */
        (void)setsid();
    if (!o.debug && !o.init_process && !o.keep_output)
        null_standard_descriptors();
    lock_all();
    open_flow();
    master.environment = environment_make(master.params, master.config_directory);
    if (!loop_run(run, &o, &err))
        event_fatal("%s", err.text);
    log_close(events_log());
    return 0;
}
