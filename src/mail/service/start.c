#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "mail/events/events.h"
#include "mail/service/inner.h"

/* ---- the log ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static slice first_label(const char *host)
{
    slice all = slice_text(host);
    size_t dot = slice_find(all, '.');

    return dot == SLICE_NONE ? all : slice_head(all, dot);
}

/* POSTLOG: the name of the postlog service, or NULL for syslog. */
static struct log *open_log(const struct worker *w, struct log *old, const char *name, const char *postlog, const char *host)
{
    AUTO_BUF struct buf tag = BUF_INIT(1000), path = BUF_INIT(1000), label = BUF_INIT(1000);
    struct log_config config = {
        .sink = postlog != NULL ? LOG_SINK_POSTLOG : LOG_SINK_SYSLOG,
        .facility = w->run.params != NULL ? w->run.params->syslog_facility : NULL,
        .also_stderr = w->options.to_stderr || isatty(STDIN_FILENO),
        .stderr_name = w->run.program,
        .ascii_only = w->run.params != NULL && !w->run.params->smtputf8_enable,
    };

    (void)buf_addf(&tag, "%s/%s", name, w->run.program);
    (void)buf_addf(&path, "public/%s", postlog == NULL ? "" : postlog);
    (void)buf_add(&label, first_label(host));
    config.tag = buf_text(&tag);
    config.postlog_path = buf_text(&path);
    config.host = buf_text(&label);
    if (old == NULL)
        return log_open(&config);
    log_reopen(old, &config);
    return old;
}

/* Before main.cf is known: by what master put into the environment. */
static void open_first_log(const struct worker *w)
{
    const char *tag = getenv("MAIL_LOGTAG"), *host = getenv("POSTLOG_HOSTNAME");

    events_open(open_log(w, NULL, tag == NULL ? "postfix" : tag, getenv("POSTLOG_SERVICE"), host == NULL ? "localhost" : host));
}

static void open_configured_log(const struct worker *w)
{
    const struct params *p = w->run.params;
    const char *postlog = p->maillog_file[0] != '\0' ? p->postlog_service_name : NULL;

    events_open(open_log(w, events_log(), p->syslog_name, postlog, p->myhostname));
    events_address_form(slice_eq(slice_text(p->info_log_address_format), S("internal")));
}

static void log_panic(const char *text)
{
    log_line(events_log(), LOG_LEVEL_PANIC, slice_text(text));
}

/* ---- checks ---- */

static bool type_fits(const struct service *s, const char *type)
{
    if (s->datagram != NULL)
        return strcmp(type, "unix-dgram") == 0;
    if (s->trigger != NULL && strcmp(type, "fifo") == 0)
        return true;
    if (s->client != NULL && strcmp(type, "pass") == 0)
        return true;
    return strcmp(type, "unix") == 0 || strcmp(type, "inet") == 0;
}

static void check_descriptors(struct worker *w)
{
    bool has_all = true;

    if (w->options.sockets > (int)COUNT_OF(w->idle_listeners))
        event_fatal("more than %d listen sockets", (int)COUNT_OF(w->idle_listeners));
    for (int fd = FD_FLOW_READ; fd < FD_LISTEN + w->options.sockets; fd++)
        has_all = fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && has_all;
    if (!has_all || isatty(STDIN_FILENO))
        event_fatal("do not run this command by hand");
    for (int fd = FD_LISTEN; fd < FD_LISTEN + w->options.sockets; fd++) {
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || ((flags & O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0))
            event_fatal("listen socket %d: %m", fd);
    }
    channel_open(w);
}

static void check_options(struct worker *w)
{
    const struct service *s = w->service;
    const struct service_options *o = &w->options;

    if (!o->standalone && o->type == NULL)
        event_fatal("no transport type specified");
    if (!o->standalone && !type_fits(s, o->type))
        event_fatal("unsupported transport type: %s", o->type);
    if ((s->flags & SERVICE_HAS_ARGUMENTS) == 0 && o->arguments[0] != NULL)
        event_fatal("unexpected command-line argument: %s", o->arguments[0]);
    if (!o->standalone)
        check_descriptors(w);
}

static void check_row(const struct worker *w)
{
    const struct service *s = w->service;

    if (w->options.standalone)
        return;
    if (s->instances == SERVICE_ONE && !w->options.one)
        event_fatal("service %s requires a process limit of 1", w->run.name);
    if (s->instances == SERVICE_UNLIMITED && !w->options.unlimited)
        event_fatal("service %s requires a process limit of 0", w->run.name);
    if ((s->flags & SERVICE_PRIVILEGED) != 0 && w->options.unprivileged)
        event_fatal("service %s requires privileged operation", w->run.name);
}

/* ---- configuration ---- */

static void load_params(struct worker *w)
{
    AUTO_BUF struct buf directory = BUF_INIT(4096);
    struct err err;

    if (!params_config_directory(NULL, false, &directory, &err))
        event_fatal("%s", err.text);
    w->run.params = params_load(buf_text(&directory), w->run.program, w->options.overrides, w->options.override_count, &err);
    if (w->run.params == NULL)
        event_fatal("%s", err.text);
}

/* A service that its own row or default_process_limit bounds has no more workers to come, which master could start with
 * stress=yes: its one worker knows both. */
static void load_stressed_params(struct worker *w)
{
    struct service_options *o = &w->options;
    struct params_override *all;
    struct err err;

    if (!w->limit_is_promise || !w->own_master || w->run.stress || (w->service->flags & SERVICE_AGENT) != 0)
        return;
    all = xcalloc(o->override_count + 1, sizeof *all);
    memcpy(all, o->overrides, o->override_count * sizeof *all);
    all[o->override_count] = (struct params_override){S("stress"), S("yes")};
    w->stressed_params = params_load(w->run.params->config_directory, w->run.program, all, o->override_count + 1, &err);
    free(all);
    if (w->stressed_params == NULL)
        event_warning("%s", err.text); /* what holds without stress holds on */
}

const struct params *service_params_now(void)
{
    const struct worker *w = the_worker();
    bool stressed = w->stressed_params != NULL && w->session_count * 5 > w->session_most * 4;

    return stressed ? w->stressed_params : w->run.params;
}

static void set_retirement(struct worker *w)
{
    const struct service_options *o = &w->options;
    int64_t number = 0;

    if ((w->service->flags & SERVICE_NEVER_IDLES) != 0)
        return;
    w->max_idle_us = w->run.params->max_idle_us;
    w->max_use = w->run.params->max_use;
    if (o->max_idle != NULL && !conf_parse_time(slice_text(o->max_idle), 's', &w->max_idle_us))
        event_fatal("invalid max_idle time: %s", o->max_idle);
    if (o->max_use != NULL && (!conf_parse_int(slice_text(o->max_use), &number) || number < 0 || number > INT32_MAX))
        event_fatal("invalid max_use: %s", o->max_use);
    if (o->max_use != NULL)
        w->max_use = (int)number;
}

static void fill_run(struct worker *w, const char *argv0)
{
    const struct service_options *o = &w->options;
    const char *program = base_name(argv0);

    w->run.program = program;
    w->run.name = o->name != NULL ? o->name : program;
    w->run.type = o->type != NULL ? o->type : "unix";
    w->run.unprivileged = o->unprivileged;
    w->run.chroot = o->chroot;
    w->run.standalone = o->standalone;
    w->run.arguments = o->arguments;
    w->run.rootless = geteuid() != 0;
    for (size_t i = 0; i < o->override_count; i++)
        if (slice_eq(o->overrides[i].name, S("stress")))
            w->run.stress = o->overrides[i].value.n > 0;
}

/* ---- identity ---- */

static void find_owner(struct worker *w)
{
    const struct params *p = w->run.params;
    const struct passwd *owner;

    w->run.mail_uid = geteuid();
    w->run.mail_gid = getegid();
    if (w->run.rootless)
        return;
    owner = getpwnam(p->mail_owner);
    if (owner == NULL)
        event_fatal("file %s/main.cf: parameter mail_owner: unknown user name value: %s", p->config_directory, p->mail_owner);
    w->run.mail_uid = owner->pw_uid;
    w->run.mail_gid = owner->pw_gid;
}

/* What stays root for the sake of its children opens files as mail_owner does: none that is root's alone. */
static void open_files_as_owner(const struct service_run *r)
{
    (void)setfsgid(r->mail_gid);
    (void)setfsuid(r->mail_uid);
    if (setfsuid((uid_t)-1) != (int)r->mail_uid) /* which changes nothing, and tells */
        event_fatal("open files as %s: not permitted", r->params->mail_owner);
}

/* After everything that needs the whole file system, or root, has been opened. */
static void give_up_privileges(const struct worker *w)
{
    const struct service_run *r = &w->run;

    if (r->rootless) {
        if (r->chroot)
            event_warning("not started as root: no chroot");
        return;
    }
    if (r->unprivileged && initgroups(r->params->mail_owner, r->mail_gid) != 0)
        event_fatal("initgroups(%s): %m", r->params->mail_owner);
    if (r->chroot && (chroot(".") != 0 || chdir("/") != 0))
        event_fatal("chroot(%s): %m", r->params->queue_directory);
    if (r->unprivileged && (setgid(r->mail_gid) != 0 || setuid(r->mail_uid) != 0))
        event_fatal("set identity of %s: %m", r->params->mail_owner);
    if ((w->service->flags & SERVICE_PRIVILEGED) != 0)
        open_files_as_owner(r);
}

/* Mail is batch work: a message passes through five processes that wake each other, and with the ordinary policy each
 * wake-up takes the processor from the one that woke.  Processes that were forked before (spawners) are not affected,
 * nor is what the administrator chose otherwise. */
static void do_not_interrupt_each_other(void)
{
    struct sched_param param = {0};

    if (sched_getscheduler(0) == SCHED_OTHER)
        (void)sched_setscheduler(0, SCHED_BATCH, &param);
}

/* ---- the whole ---- */

static void prepare(struct worker *w, int argc, char **argv)
{
    struct err err;

    (void)umask(077);
    tzset(); /* the zone's file is out of reach after chroot */
    (void)signal(SIGPIPE, SIG_IGN);
    watchdog_prepare(); /* so is its library, and after a sandbox */
    w->run.program = base_name(argv[0]);
    if (!service_options_parse(argc, argv, &w->options, &err)) {
        open_first_log(w);
        event_fatal("%s", err.text);
    }
    fill_run(w, argv[0]);
    open_first_log(w);
    bug_set_hook(log_panic);
    check_options(w);
    load_params(w);
    if (chdir(w->run.params->queue_directory) != 0)
        event_fatal("chdir(%s): %m", w->run.params->queue_directory);
    open_configured_log(w);
    event_warning_lines(buf_slice(&w->run.params->conf.warnings));
    check_row(w);
    set_retirement(w);
    limits_set(w);
    load_stressed_params(w);
    find_owner(w);
}

int service_main(const struct service *service, int argc, char **argv)
{
    struct worker *w = the_worker();
    struct err err;

    w->service = service;
    w->needs = service->needs;
    prepare(w, argc, argv);
    if (service->pre_start != NULL && !service->pre_start(&w->run, &err))
        event_fatal("%s", err.text);
    give_up_privileges(w);
    do_not_interrupt_each_other();
    confine(w);
    if (!loop_run(worker_main, w, &err))
        event_fatal("%s", err.text);
    log_close(events_log());
    events_open(NULL);
    return 0;
}
