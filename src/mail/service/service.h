/* mail/service/service.h - the life of a daemon under master: start, accept, drain, stop.
 *
 * A daemon is one `struct service` and a main() that calls service_main().  service_main parses the argv that master
 * builds (ipc.md section 2), reads main.cf and its own master.cf row, opens the log, calls pre_start(), changes root and
 * drops privileges, enters its sandbox, runs the loop with start() as its first task, and reports to master on descriptor 5
 * (12-byte status messages, section 4):
 *   stream and datagram services with room left say AVAIL at the first accept and nothing for later ones (to Postfix's master
 *     TAKEN, then AVAIL); they are TAKEN and stop polling the listener above worker_session_step sessions, at their limit, or
 *     while draining
 *   trigger services say TAKEN before the trigger is read and AVAIL after trigger() returned: each time, or the first time
 *     with SERVICE_NEVER_IDLES
 * The limit on sessions comes from the master.cf row (architecture section 2).  max_idle and max_use end an idle worker
 * (exit 0); EOF on descriptor 5 (reload) starts draining.  A changed table (service_watch_table) makes it drain too.
 *
 * The limit on sessions: -z, or a SERVICE_MULTI service: default_session_limit.  -l: 1 (default_session_limit for a
 * SERVICE_ONE service).  An explicit N: N.  '-': default_process_limit when main.cf sets it, else 100 for SERVICE_AGENT and
 * default_session_limit for the rest.  Where that number is a promise about the whole service (N, default_process_limit,
 * the 100), one worker holds it only under our own master, which starts no second one; under Postfix's master, which starts
 * up to N workers, each holds one session.  Our master is known by its status channel, a socket pair of type
 * SOCK_SEQPACKET (Postfix's is SOCK_STREAM; the messages are the same).
 *
 * Each connection runs in a task of its own with client(STREAM); the stream is closed by service when it returns, without
 * flushing.  Draining lets sessions run on for drain_time_limit and then cancels them; those of a SERVICE_MULTI service,
 * whose clients only wait there for their next question, after two seconds; deliveries, which have limits of their own,
 * after daemon_timeout.  max_use is meant for a process with one session at a time, of which a worker stands for several: a
 * session that begins as one of four is a quarter of a use.  A worker that is used up ends when it has been without one for
 * a second.
 * Depends on: all of core, mail/params, mail/events. */
#ifndef MAIL_SERVICE_SERVICE_H
#define MAIL_SERVICE_SERVICE_H

#include "core/io/stream.h"
#include "core/net/endpoint.h"
#include "core/sandbox/sandbox.h"
#include "mail/params/params.h"

enum service_instances {
    SERVICE_ANY,       /* any process limit */
    SERVICE_ONE,       /* refuses to start without -l: "service X requires a process limit of 1" */
    SERVICE_UNLIMITED, /* refuses to start without -z */
};

enum service_flags {
    SERVICE_PRIVILEGED = 1,  /* stays root (local, virtual), but for files: opens them as mail_owner.  Refuses -u */
    SERVICE_NEVER_IDLES = 2, /* no max_idle, no max_use: qmgr, postlogd */
    SERVICE_MULTI = 4,       /* clients stay connected between requests (rewrite, proxymap, anvil): an idle client does not
                              * keep the process alive beyond max_idle of the last request */
    SERVICE_HAS_ARGUMENTS = 8, /* accepts arguments after the options (pipe, spawn) */
    SERVICE_AGENT = 16,      /* a delivery agent: maxproc '-' is 100 deliveries, not default_session_limit; SIGTERM, which
                              * master sends to all when it is stopped, is a word to drain, for five seconds at most
                              * (others die of it) */
    SERVICE_FINISHES = 32,   /* SIGTERM from our own master is a word to finish what is begun, for stop_time_limit at most:
                              * what that needs stays there meanwhile.  From Postfix's, which stops all at once, it is the
                              * end */
};

/* What the daemon was started as.  Lives for the whole process. */
struct service_run {
    struct params *params;
    const char *name;        /* service name: -n, or the program's name; "smtp", "defer", "rewrite" */
    const char *type;        /* -t: "unix", "inet", "fifo", "pass", "unix-dgram" */
    const char *program;     /* basename of argv[0] */
    bool unprivileged, chroot, stress, standalone /* -S: one session on stdin/stdout */;
    unsigned session_limit;  /* sessions or deliveries at once in this process */
    char **arguments;        /* after the options; NULL-terminated */
    uid_t mail_uid;          /* of mail_owner (rootless: own) */
    gid_t mail_gid;
    bool rootless;           /* not started by root */
};

/* What it does after start-up; nothing else is possible then (core/sandbox/sandbox.h).  Each text has words: a folder or file
 * of the queue directory ("incoming"), or "$name", a parameter: the directory that its value names, or those where its
 * tables and files lie.  What pre_start() has opened, and who was forked there, needs none of it. */
struct service_needs {
    unsigned may; /* SANDBOX_NAMES, ... */
    const char *reads;
    const char *updates; /* and writes what is there; FIFOs that it wakes others by */
    const char *writes;  /* and makes, renames, removes */
};

struct service {
    const char *name; /* program name: "smtpd" */
    enum service_instances instances;
    unsigned flags;
    struct service_needs needs;

    /* Before chroot and loss of privileges, outside any task (must not suspend): open tables, resolver.  False ends the
     * daemon with "fatal: ERR". */
    bool (*pre_start)(struct service_run *run, struct err *err);
    /* After privileges are dropped, as the first task: may suspend.  Optional. */
    bool (*start)(struct service_run *run, struct err *err);

    /* One of these three: */
    void (*client)(struct stream *s);                       /* stream services: one task per connection */
    void (*trigger)(slice request);                         /* trigger services: the bytes read, at least 1 */
    void (*datagram)(slice packet);                         /* unix-dgram: one packet (must not suspend) */

    void (*tick)(void);      /* about every 10 s from the loop; optional, must not suspend */
    void (*stopping)(void);  /* SERVICE_FINISHES: the word has come.  From the loop, once; must not suspend.  Optional */
    void (*stop)(void);      /* before exit; may suspend; optional */
    /* A trigger that follows another sooner waits, and is one with those that come meanwhile; or is left to the next
     * process, when this one drains.  0: none waits. */
    int64_t trigger_pause_us;
    int64_t stop_grace_us;   /* SERVICE_AGENT: instead of the five seconds */
    int64_t watchdog_us;     /* 0: network_watchdog_timeout */
};

/* Runs the daemon; returns its exit status for main(). */
int service_main(const struct service *service, int argc, char **argv);

/* The running daemon's view of itself; valid from pre_start() on. */
struct service_run *service_run(void);
/* What it declared.  pre_start() may take away what this row of master.cf does not need. */
struct service_needs *service_needs(void);
struct params *service_params(void);
/* The same for the load of this moment: above 80 % of the sessions that an explicit limit allows (and no more workers can come),
 * those of stress=yes. */
const struct params *service_params_now(void);

/* Starts draining: no more accepts; the process exits when the last session ends.  WHY is logged when not NULL. */
void service_drain(const char *why);
bool service_is_draining(void);
/* Draining, and the mail system is about to end. */
bool service_is_stopping(void);

/* A delivery begins to be what would be done twice if it were broken off now, and is on record.  A stop waits for such, for
 * stop_time_limit at most. */
void service_hold(void);
void service_release(void);

/* A SERVICE_MULTI service says this after each answer: max_idle counts from the last one, whoever is still connected. */
void service_answered(void);

/* Starts FN(ARG) as a background task of the daemon (qmgr's scans, smtp's deliveries); draining waits for these too unless
 * BACKGROUND is set. */
MUST_CHECK bool service_spawn(const char *name, task_fn *fn, void *arg, bool background, struct err *err);

/* For `pass` services: the endpoints that came with the passed socket; for others the socket's own.  Ports included.
 * False when the stream is not inet (stdin mode, UNIX). */
bool service_endpoints(struct stream *s, struct endpoint *client, struct endpoint *server);

/* Asks this every 10 s; true makes the worker drain ("table X has changed -- restarting"). */
void service_watch(bool (*changed)(void *arg, struct buf *name), void *arg);

/* in_flow_delay pipe, descriptors 3 and 4: one token per message (ipc.md section 5).  cleanup takes them, and qmgr puts one back for
 * each message that it takes from incoming/.  Without a master there is no pipe, and nobody waits. */
/* Takes one; when there is none waits until somebody puts one there, but MOST_US at most: then the message goes on without.
 * False: cancelled, or the pipe cannot be watched. */
MUST_CHECK bool flow_wait(int64_t most_us, struct err *err);
void flow_put(unsigned tokens);
unsigned flow_count(void);
/* As many as there are, if they are fewer. */
void flow_take(unsigned tokens);

#endif
