/* support/master/master.h - the services of master.cf, their sockets and their children.
 *
 * Everything here runs in callbacks of the loop: nothing suspends.  A service is watched (its sockets are in the loop) exactly
 * while no child is AVAIL, it is not throttled, and its limit allows one more process.  Source: fact sheet ipc.md 1-5. */
#ifndef SUPPORT_MASTER_MASTER_H
#define SUPPORT_MASTER_MASTER_H

#include <sys/types.h>

#include "core/base/list.h"
#include "core/base/map.h"
#include "core/conf/master_cf.h"
#include "core/run/task.h"
#include "mail/params/params.h"

enum { LISTENERS_MOST = 32 };

struct child {
    struct list in_service;
    struct service_state *service;
    pid_t pid;
    unsigned generation;
    bool available;  /* as it last said; a new one counts as AVAIL */
    bool used;       /* has completed a request, or begun to serve for good */
};

struct service_state {
    struct list in_master;
    struct master_row row;     /* borrowed from the master.cf in force */
    char *path;                /* "private/local"; NULL for inet */
    char *shown;               /* "smtp", for messages */
    char *program;             /* full path */
    int listeners[LISTENERS_MOST];
    size_t listener_count;
    bool reachable;            /* inet, not loopback alone: gets -o stress= */
    int status[2];             /* socket pair: ours, the children's */
    unsigned generation;       /* of the status channel */
    struct list children;
    unsigned available, total; /* children AVAIL, and all, of this generation */
    unsigned total_old;        /* still draining after a reload */
    int process_limit;         /* 0: none */
    bool watched, throttled, was_used;
    bool seen;                 /* during a reload */
    bool told_to_end;          /* the mail system is stopped, and it is this service's turn */
    struct timer throttle_ends, wakeup;
    int64_t limit_warned_us;
};

struct master {
    struct params *params;
    struct master_conf conf;
    struct list services;
    char *config_directory, *daemon_directory;
    int flow[2];
    uid_t mail_uid;
    gid_t mail_gid;
    bool rootless, foreground, verbose;
    unsigned generation;
    char **environment; /* for children, without GENERATION */
    bool stopping;
};
extern struct master master;

/* ---- services.c ---- */
/* Takes master.cf into force: new services get sockets, changed ones a new status channel, gone ones end. */
MUST_CHECK bool services_load(struct err *err);
void services_start_wakeups(void);
/* The full path of ROW's program; the caller frees it. */
char *service_program(const struct master_row *row);
/* Brings the watch in line with the service's state. */
void service_rewatch(struct service_state *s);
void service_throttle(struct service_state *s);
/* S has a wake-up time, and its program died: it is woken in a few seconds, not when its time comes. */
void service_wake_soon(struct service_state *s);
/* The last process from before a reload has ended, perhaps with the wake-up that was meant for its successor. */
void service_wake_successor(struct service_state *s);

/* ---- stop.c ---- */
/* Callbacks of signal SIGNO.  The mail system ends: in order, or at once. */
void stop_in_order(int signo, void *unused);
void stop_at_once(int signo, void *unused);
/* Of any service, and was reaped. */
void stop_child_ended(void);

/* ---- unsupported.c ---- */
/* One warning for each parameter that main.cf or a row of CONF sets, and whose setting has no effect here, and for each row
 * without a program. */
void warn_unsupported(const struct master_conf *conf);
/* Nobody shall connect to such a service, and wait. */
bool program_missing(const struct master_row *row);

/* ---- disabled.c ---- */
/* master_service_disable has ROW. */
bool service_disabled(const struct master_row *row);

/* ---- listen.c ---- */
/* Opens all listen sockets of S.  ERR_SYS, ERR_CONFIG. */
MUST_CHECK bool service_listen(struct service_state *s, struct err *err);
void service_unlisten(struct service_state *s);
/* Moves FD out of the children's low numbers. */
int fd_keep_high(int fd);

/* ---- child.c ---- */
void child_start(struct service_state *s);
/* Called for SIGCHLD. */
void children_reap(void);
void children_signal(struct service_state *s, int signo);
/* A new status channel: children of the old one see its end and leave. */
MUST_CHECK bool status_open(struct service_state *s, struct err *err);
void status_close(struct service_state *s);

/* ---- arguments.c ---- */
struct child_arguments {
    char *argv[128];
    size_t count;
};
/* The argv of ipc.md section 2; freed by child_arguments_done(). */
void child_arguments_make(const struct service_state *s, struct child_arguments *out);
void child_arguments_done(struct child_arguments *a);
/* The environment of a child: the four variables, what import_environment names, GENERATION. */
char **environment_make(const struct params *p, const char *config_directory);
void environment_free(char **environment);

#endif
