#include "mail/command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/log/log.h"
#include "mail/events/events.h"

/* One command per process. */
static struct {
    const char *name;
    struct log *log;
    struct params *params; /* for as long as the process lives */
    unsigned flags;
    bool to_stderr;
} process;

static void open_missing_descriptors(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", O_RDWR); /* the lowest that is free is this one */
}

static void on_bug(const char *text)
{
    log_line(process.log, LOG_LEVEL_PANIC, slice_text(text));
}

void command_help(int argc, char **argv, const char *help)
{
    if (argc != 2 || strcmp(argv[1], "--help") != 0)
        return;
    exit(fputs(help, stdout) < 0 || fflush(stdout) != 0 ? 1 : 0);
}

static void add_tag(struct buf *tag, const char *system)
{
    if ((process.flags & COMMAND_WHOLE_TAG) == 0)
        (void)buf_addf(tag, "%s/", system);
    (void)buf_add_text(tag, process.name);
}

void command_begin(const char *name, int fatal_status, unsigned flags)
{
    const char *given = getenv("MAIL_LOGTAG");
    AUTO_BUF struct buf tag = BUF_INIT(200);
    struct log_config config = {.sink = LOG_SINK_SYSLOG, .stderr_name = name};

    open_missing_descriptors();
    process.name = name;
    process.flags = flags;
    process.to_stderr = (flags & COMMAND_TERMINAL_ONLY) == 0 || isatty(STDERR_FILENO) != 0;
    config.also_stderr = process.to_stderr;
    add_tag(&tag, given != NULL && given[0] != '\0' ? given : "postfix");
    config.tag = buf_text(&tag);
    if ((flags & COMMAND_QUIET_LOG) != 0)
        config.sink = LOG_SINK_NONE;
    process.log = log_open(&config);
    events_open(process.log);
    events_set_fatal(fatal_status, false);
    bug_set_hook(on_bug);
}

static void move_log(const struct params *p)
{
    AUTO_BUF struct buf tag = BUF_INIT(500), host = BUF_INIT(500), path = BUF_INIT(5000);
    struct log_config config = {.sink = LOG_SINK_SYSLOG, .also_stderr = process.to_stderr, .stderr_name = process.name};
    slice label;

    if ((process.flags & COMMAND_QUIET_LOG) != 0)
        return;
    add_tag(&tag, p->syslog_name);
    label = slice_text(p->myhostname);
    (void)buf_add(&host, slice_head(label, slice_find(label, '.')));
    (void)buf_addf(&path, "%s/public/%s", p->queue_directory, p->postlog_service_name);
    config.tag = buf_text(&tag);
    config.host = buf_text(&host);
    config.postlog_path = buf_text(&path);
    if (p->maillog_file[0] != '\0')
        config.sink = LOG_SINK_POSTLOG;
    config.facility = p->syslog_facility;
    log_reopen(process.log, &config);
}

static bool has_more_rights_than_its_user(void)
{
    return geteuid() != getuid() || getegid() != getgid();
}

static bool is_callers_own(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_uid == getuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* A private instance: its owner needs no more rights than he has, and gives up those of the program. */
static bool become_the_owner(const char *directory)
{
    AUTO_BUF struct buf main_cf = BUF_INIT(4096);

    (void)buf_addf(&main_cf, "%s/main.cf", directory);
    return is_callers_own(directory) && is_callers_own(buf_text(&main_cf)) && setregid(getgid(), getgid()) == 0 &&
           setreuid(getuid(), getuid()) == 0;
}

struct params *command_configure(const char *directory)
{
    AUTO_BUF struct buf chosen = BUF_INIT(4096);
    struct params *p;
    struct err err;

    if (!params_config_directory(directory, has_more_rights_than_its_user(), &chosen, &err)) {
        const char *wanted = directory != NULL ? directory : getenv("MAIL_CONFIG");
        bool own = become_the_owner(wanted) && params_config_directory(directory, false, &chosen, &err);

        if (!own)
            event_error("%s", err.text);
        if (!own)
            event_fatal("specify \"alternate_config_directories = %s\" or \"multi_instance_directories = %s\" in the "
                        "default main.cf file",
                        wanted, wanted);
    }
    if (directory != NULL && setenv("MAIL_CONFIG", buf_text(&chosen), 1) != 0)
        event_fatal("out of memory");
    p = params_load_for_command(buf_text(&chosen), &err);
    if (p == NULL)
        event_fatal("%s", err.text);
    process.params = p;
    move_log(p);
    event_warning_lines(buf_slice(&p->conf.warnings));
    return p;
}

void command_enter_queue(const struct params *p)
{
    if (chdir(p->queue_directory) != 0)
        event_fatal("chdir %s: %s", p->queue_directory, strerror(errno));
}

void command_become_mail_owner(const struct params *p)
{
    const struct passwd *owner;

    if (geteuid() != 0)
        return;
    owner = getpwnam(p->mail_owner);
    if (owner == NULL)
        event_fatal("file %s/main.cf: parameter mail_owner: unknown user name value: %s", p->config_directory,
                    p->mail_owner);
    if (owner->pw_uid == 0)
        event_fatal("file %s/main.cf: parameter mail_owner: user %s has privileged user ID", p->config_directory,
                    p->mail_owner);
    if (setgroups(1, &owner->pw_gid) != 0 || setresgid(owner->pw_gid, owner->pw_gid, owner->pw_gid) != 0 ||
        setresuid(owner->pw_uid, owner->pw_uid, owner->pw_uid) != 0)
        event_fatal("act as %s: %s", p->mail_owner, strerror(errno));
}
