#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "mail/events/events.h"
#include "mail/service/trigger.h"
#include "support/master/master.h"

/* A service with a wake-up time whose program has died is woken so soon: what it was to do shall not wait. */
enum { WAKE_AGAIN_S = 3 };

struct master master;

static void on_connection(int fd, void *arg)
{
    (void)fd;
    child_start(arg);
}

/* An explicit number is one worker that holds so many sessions; '-' and 0 let more workers come when one is full. */
static unsigned workers_most(const struct service_state *s)
{
    if (s->row.process_limit > 0)
        return 1;
    return s->row.process_limit == 0 ? 0 : (unsigned)s->process_limit;
}

static bool may_start(const struct service_state *s)
{
    unsigned most = workers_most(s);
    /* qmgr and pickup must be alone: their predecessor has to be gone.  Others overlap while the old one drains. */
    unsigned counted = s->row.process_limit == 1 ? s->total + s->total_old : s->total;

    return s->available == 0 && !s->throttled && !s->told_to_end && (most == 0 || counted < most);
}

void service_rewatch(struct service_state *s)
{
    bool want = may_start(s);
    struct err err;

    if (want == s->watched)
        return;
    for (size_t i = 0; i < s->listener_count; i++) {
        if (!want)
            fd_forget(s->listeners[i]);
        else if (!fd_watch(s->listeners[i], on_connection, s, &err))
            event_warning("service %s: %s", s->shown, err.text);
    }
    s->watched = want;
}

static void wake(void *arg)
{
    struct service_state *s = arg;
    struct err err;

    if (!s->throttled && !s->told_to_end && s->path != NULL && (!s->row.wakeup_if_used || s->was_used) &&
        !trigger_send(s->path, S("W"), &err))
        event_warning("wake up %s: %s", s->shown, err.text);
    timer_set(&s->wakeup, deadline_in(SECONDS(s->row.wakeup_seconds)), wake, s);
}

void service_wake_soon(struct service_state *s)
{
    if (s->row.wakeup_seconds > WAKE_AGAIN_S)
        timer_set(&s->wakeup, deadline_in(SECONDS(WAKE_AGAIN_S)), wake, s);
}

void service_wake_successor(struct service_state *s)
{
    if (s->row.wakeup_seconds > 0)
        timer_set(&s->wakeup, deadline_in(0), wake, s);
}

static void throttle_over(void *arg)
{
    struct service_state *s = arg;

    s->throttled = false;
    service_rewatch(s);
    service_wake_soon(s);
}

void service_throttle(struct service_state *s)
{
    if (s->throttled)
        return;
    s->throttled = true;
    timer_set(&s->throttle_ends, deadline_in(master.params->service_throttle_time_us), throttle_over, s);
    service_rewatch(s);
}

void services_start_wakeups(void)
{
    LIST_EACH(at, &master.services)
    {
        struct service_state *s = LIST_ENTRY(at, struct service_state, in_master);

        if (s->row.wakeup_seconds > 0)
            wake(s);
        else
            timer_clear(&s->wakeup);
    }
}

static struct service_state *find(const struct master_row *row)
{
    LIST_EACH(at, &master.services)
    {
        struct service_state *s = LIST_ENTRY(at, struct service_state, in_master);

        if (strcmp(s->shown, row->service) == 0 && s->row.type == row->type)
            return s;
    }
    return NULL;
}

static char *printed(const char *a, const char *b)
{
    char *out;

    if (asprintf(&out, "%s/%s", a, b) < 0)
        bug("out of memory for a path");
    return out;
}

static char *socket_path(const struct master_row *row)
{
    bool private = row->is_private != MASTER_NO;

    return row->type == MASTER_INET ? NULL : printed(private ? "private" : "public", row->service);
}

char *service_program(const struct master_row *row)
{
    return row->command[0] == '/' ? xstrndup(row->command, strlen(row->command))
                                  : printed(master.params->daemon_directory, row->command);
}

static void adopt_row(struct service_state *s, const struct master_row *row)
{
    free(s->program);
    s->row = *row;
    s->program = service_program(row);
    s->process_limit = row->process_limit < 0 ? master.params->default_process_limit : row->process_limit;
    s->seen = true;
}

static bool service_new(const struct master_row *row, struct err *err)
{
    struct service_state *s = xcalloc(1, sizeof *s);

    list_init(&s->children);
    s->status[0] = s->status[1] = -1;
    s->shown = xstrndup(row->service, strlen(row->service));
    s->path = socket_path(row);
    adopt_row(s, row);
    if (!service_listen(s, err) || !status_open(s, err)) {
        service_unlisten(s);
        free(s->shown);
        free(s->path);
        free(s->program);
        free(s);
        return false;
    }
    list_push_back(&master.services, &s->in_master);
    service_rewatch(s);
    return true;
}

/* The service is no longer in master.cf.  Its children are told to end; they are reaped without it. */
static void service_free(struct service_state *s)
{
    children_signal(s, SIGTERM);
    LIST_EACH(at, &s->children)
    {
        struct child *c = LIST_ENTRY(at, struct child, in_service);

        list_remove(&c->in_service);
        c->service = NULL;
    }
    timer_clear(&s->throttle_ends);
    timer_clear(&s->wakeup);
    status_close(s);
    service_unlisten(s);
    list_remove(&s->in_master);
    free(s->shown);
    free(s->path);
    free(s->program);
    free(s);
}

/* Same name and type: sockets stay, and with them connections that wait; children get a new status channel. */
static bool service_again(struct service_state *s, const struct master_row *row, struct err *err)
{
    char *path = socket_path(row);
    bool moved = (path == NULL) != (s->path == NULL) || (path != NULL && strcmp(path, s->path) != 0);

    adopt_row(s, row);
    s->throttled = false;
    timer_clear(&s->throttle_ends);
    status_close(s);
    if (moved) {
        service_unlisten(s);
        free(s->path);
        s->path = path;
        s->watched = false;
        if (!service_listen(s, err))
            return false;
    } else {
        free(path);
    }
    if (!status_open(s, err))
        return false;
    service_rewatch(s);
    return true;
}

/* Services of CONF that are new or again there.  A row that is disabled, or whose program is missing, is left out. */
static bool adopt_rows(const struct master_conf *conf, struct err *err)
{
    for (size_t i = 0; i < conf->count; i++) {
        const struct master_row *row = &conf->rows[i];
        struct service_state *s = find(row);

        if (service_disabled(row) || program_missing(row))
            continue;
        if (!(s == NULL ? service_new(row, err) : service_again(s, row, err)))
            return false;
    }
    return true;
}

static void drop_unseen(void)
{
    LIST_EACH(at, &master.services)
    {
        struct service_state *s = LIST_ENTRY(at, struct service_state, in_master);

        if (!s->seen)
            service_free(s);
    }
}

bool services_load(struct err *err)
{
    struct master_conf fresh;
    char *path = printed(master.config_directory, "master.cf");
    bool ok = master_conf_read(&fresh, path, err);

    free(path);
    if (!ok)
        return false;
    LIST_EACH(at, &master.services)
    LIST_ENTRY(at, struct service_state, in_master)->seen = false;
    if (!adopt_rows(&fresh, err)) {
        master_conf_done(&fresh);
        return false;
    }
    drop_unseen();
    event_warning_lines(buf_slice(&fresh.warnings)); /* now there is a socket for them, too */
    warn_unsupported(&fresh);
    master_conf_done(&master.conf);
    master.conf = fresh;
    return true;
}
