#include "commands/postfix/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"

enum { LINE_MAX_BYTES = 2000, BACKGROUND_NICENESS = 10 };

/* ---- saying things ---- */

static void write_to_file(struct instance *i, const char *severity, const char *text)
{
    AUTO_BUF struct buf line = BUF_INIT(2 * LINE_MAX_BYTES);
    struct err ignored;
    char when[16];

    log_print_time(clock_wall_us(), when);
    buf_addf(&line, "%s %.*s %s/postfix-script[%ld]: %s%s\n", when, (int)strcspn(i->params->myhostname, "."),
             i->params->myhostname, i->params->syslog_name, (long)getpid(), severity, text);
    (void)!file_write_all(i->maillog_fd, buf_slice(&line), &ignored);
}

static void say_line(struct instance *i, enum log_level level, const char *severity, const char *format, va_list args)
{
    char text[LINE_MAX_BYTES];

    (void)vsnprintf(text, sizeof text, format, args);
    if (i->maillog_fd >= 0)
        write_to_file(i, severity, text);
    else
        log_line(i->log, level, slice_text(text));
    if (i->maillog_fd > 1 && isatty(STDERR_FILENO))
        (void)fprintf(stderr, "postfix/postfix-script: %s%s\n", severity, text);
}

void say(struct instance *i, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_line(i, LOG_LEVEL_INFO, "", format, args);
    va_end(args);
}

void say_warning(struct instance *i, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_line(i, LOG_LEVEL_WARNING, "warning: ", format, args);
    va_end(args);
}

int say_fatal(struct instance *i, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_line(i, LOG_LEVEL_FATAL, "fatal: ", format, args);
    va_end(args);
    return 1;
}

/* ---- opening ---- */

static void open_log(struct instance *i, const char *tag)
{
    struct log_config config = {.sink = LOG_SINK_SYSLOG,
                                .tag = tag,
                                .also_stderr = isatty(STDERR_FILENO) != 0,
                                .stderr_name = i->params == NULL ? "postfix" : "postfix/postfix-script"};

    if (i->log == NULL)
        i->log = log_open(&config);
    else
        log_reopen(i->log, &config);
}

static bool postlogd_listens(const char *path)
{
    AUTO_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    (void)snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    return fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0;
}

/* With maillog_file: through postlogd when it is there, else straight into the file. */
static void open_maillog(struct instance *i)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    struct params *p = i->params;

    if (p->maillog_file[0] == '\0')
        return;
    buf_addf(&path, "public/%s", p->postlog_service_name);
    if (strcmp(p->maillog_file, "/dev/stdout") == 0) {
        i->maillog_fd = STDOUT_FILENO;
    } else if (postlogd_listens(buf_text(&path))) {
        AUTO_BUF struct buf tag = BUF_INIT(LINE_MAX_BYTES);
        AUTO_BUF struct buf host = BUF_INIT(LINE_MAX_BYTES);
        struct log_config config = {.sink = LOG_SINK_POSTLOG,
                                    .postlog_path = buf_text(&path),
                                    .also_stderr = isatty(STDERR_FILENO) != 0,
                                    .stderr_name = "postfix/postfix-script"};

        buf_addf(&tag, "%s/postfix-script", p->syslog_name);
        buf_add(&host, slice_head(slice_text(p->myhostname), strcspn(p->myhostname, ".")));
        config.tag = buf_text(&tag);
        config.host = buf_text(&host);
        log_reopen(i->log, &config);
    } else {
        i->maillog_fd = open(p->maillog_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    }
}

static bool owns(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_uid == getuid();
}

static void add_variable(slice item)
{
    AUTO_BUF struct buf name = BUF_INIT(PATH_MAX);
    size_t equals = slice_find(item, '=');

    if (equals == SLICE_NONE)
        return;
    buf_add(&name, slice_head(item, equals));
    buf_add_char(&name, '\0');
    buf_add(&name, slice_skip(item, equals + 1));
    (void)setenv(name.p, name.p + equals + 1, 1);
}

/* Only what import_environment names survives, and what the system's programs look for. */
static void make_environment(const struct params *p)
{
    AUTO_BUF struct buf kept = BUF_INIT(1 << 20);
    slice list = slice_text(p->import_environment), item;
    struct err ignored;
    bool braced;

    while (conf_next_item(&list, ", \t\r\n", &item, &braced, &ignored) == CONF_ITEM) {
        AUTO_BUF struct buf name = BUF_INIT(PATH_MAX);

        buf_add(&name, item);
        if (slice_find(item, '=') != SLICE_NONE)
            buf_addf(&kept, "%s\n", buf_text(&name));
        else if (getenv(buf_text(&name)) != NULL)
            buf_addf(&kept, "%s=%s\n", buf_text(&name), getenv(buf_text(&name)));
    }
    (void)clearenv();
    for (list = buf_slice(&kept); list.n > 0; list = slice_skip(list, item.n + 1)) {
        item = slice_head(list, slice_find(list, '\n'));
        add_variable(item);
    }
    (void)setenv("PATH", "/bin:/usr/bin:/sbin:/usr/sbin", 1);
    (void)setenv("MAIL_CONFIG", p->config_directory, 1);
    (void)setenv("MAIL_LOGTAG", p->syslog_name, 1);
    if (p->maillog_file[0] != '\0') {
        AUTO_BUF struct buf host = BUF_INIT(PATH_MAX);

        buf_add(&host, slice_head(slice_text(p->myhostname), strcspn(p->myhostname, ".")));
        (void)setenv("POSTLOG_SERVICE", p->postlog_service_name, 1);
        (void)setenv("POSTLOG_HOSTNAME", buf_text(&host), 1);
    }
}

static void hint_at_level(struct instance *i)
{
    int64_t level, now;

    if (!compat_level_parse(slice_text(i->params->compatibility_level), &level) || !compat_level_parse(S("3.6"), &now) ||
        level >= now)
        return;
    say(i, "%s is using backwards-compatible default settings", i->params->mail_name);
    say(i, "To disable backwards compatibility use \"postconf compatibility_level=3.6\" and \"postfix reload\"");
}

void instance_open(struct instance *i, const char *config_directory)
{
    AUTO_BUF struct buf directory = BUF_INIT(PATH_MAX);
    AUTO_BUF struct buf tag = BUF_INIT(LINE_MAX_BYTES);
    struct err err;

    i->maillog_fd = -1;
    open_log(i, "postfix");
    if (!params_config_directory(config_directory, false, &directory, &err))
        exit(say_fatal(i, "%s", err.text));
    i->rootless = getuid() != 0;
    if (i->rootless && !owns(buf_text(&directory))) {
        log_line(i->log, LOG_LEVEL_ERROR, S("to submit mail, use the Postfix sendmail command"));
        exit(say_fatal(i, "the postfix command is reserved for the superuser"));
    }
    i->params = params_load(buf_text(&directory), "postfix", NULL, 0, &err);
    if (i->params == NULL)
        exit(say_fatal(i, "%s", err.text));
    if (!owners_find(i))
        exit(1);
    hint_at_level(i);
    make_environment(i->params);
    if (chdir(i->params->queue_directory) != 0)
        exit(say_fatal(i, "chdir(%s): %s", i->params->queue_directory, strerror(errno)));
    buf_addf(&tag, "%s/postfix-script", i->params->syslog_name);
    open_log(i, buf_text(&tag));
    open_maillog(i);
}

/* ---- running programs ---- */

int become_program(struct instance *i, const char *directory, char *const argv[])
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);

    buf_addf(&path, argv[0][0] == '/' ? "%s%s" : "%s/%s", argv[0][0] == '/' ? "" : directory, argv[0]);
    (void)execv(buf_text(&path), argv);
    say_warning(i, "cannot execute %s: %s", buf_text(&path), strerror(errno));
    return 127;
}

static pid_t fork_program(struct instance *i, const char *directory, char *const argv[])
{
    pid_t child = fork();

    if (child < 0)
        say_warning(i, "fork: %s", strerror(errno));
    if (child == 0)
        _exit(become_program(i, directory, argv));
    return child;
}

int run_program(struct instance *i, const char *directory, char *const argv[])
{
    pid_t child = fork_program(i, directory, argv);
    int status;

    if (child < 0)
        return 127;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Whoever reads what this command says, a script or a person, shall not wait for what goes on behind it. */
static void become_background(struct instance *i, const char *directory, char *const argv[])
{
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = STDIN_FILENO; nowhere >= 0 && fd <= STDERR_FILENO; fd++)
        (void)dup2(nowhere, fd);
    (void)!nice(BACKGROUND_NICENESS);
    _exit(become_program(i, directory, argv));
}

void run_in_background(struct instance *i, const char *directory, char *const argv[])
{
    pid_t child = fork(), grandchild;

    if (child < 0) {
        say_warning(i, "fork: %s", strerror(errno));
        return;
    }
    if (child > 0) {
        (void)waitpid(child, NULL, 0);
        return;
    }
    grandchild = fork(); /* nobody's child: this process may become master, which knows its own */
    if (grandchild == 0)
        become_background(i, directory, argv);
    _exit(grandchild < 0);
}
