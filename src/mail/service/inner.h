/* mail/service/inner.h - what the parts of mail/service share.  For mail/service alone. */
#ifndef MAIL_SERVICE_INNER_H
#define MAIL_SERVICE_INNER_H

#include "mail/service/options.h"
#include "mail/service/service.h"

enum { FD_FLOW_READ = 3, FD_FLOW_WRITE = 4, FD_STATUS = 5, FD_LISTEN = 6 };
/* One use of a process that serves one session at a time.  A worker stands for as many of these as it has sessions at a
 * time, so that each session is a share of a use: of one among four a quarter. */
#define USE UINT64_C(1000000)

struct session {
    struct list node;
    int fd;           /* -1: a pair of descriptors */
    struct stream *stream;
    bool has_client, has_server; /* as the socket or another process said */
    struct endpoint client, server;
};

struct watcher {
    bool (*changed)(void *arg, struct buf *name);
    void *arg;
};

/* One daemon: this belongs to the process. */
struct worker {
    const struct service *service;
    struct service_needs needs; /* what pre_start() has left of the service's */
    struct service_options options;
    struct service_run run;
    int64_t max_idle_us;
    int max_use;

    bool has_channel, own_master; /* status messages go to descriptor 5 */
    bool taken;                   /* what master was told last */
    unsigned generation;

    struct list sessions;
    unsigned session_count;       /* also counts a trigger being served */
    unsigned session_most;        /* above which the listener is not polled */
    bool limit_is_promise;        /* it holds for the whole service */
    struct params *stressed_params; /* NULL: this worker is never under stress of its own */
    uint64_t used;                /* in millionths, see USE */
    bool greeted;                 /* a first accept was reported */
    int64_t last_answer_us;
    bool counts_answers;
    struct waitq room, drained, flow_waiters;
    bool flow_watched;
    struct task_group listeners, clients, background;
    struct timer idle, tick, told_to_end;
    struct task *idle_listeners[64]; /* only waiting, may be cancelled; else NULL */

    struct watcher *watchers;
    size_t watcher_count;
    bool draining, stopping, grace_over;
    unsigned held;      /* service_hold() */
    pid_t started_by;
};

struct worker *the_worker(void);

/* channel.c */
void channel_open(struct worker *w);
/* Say so unless that was said last. */
void channel_taken(struct worker *w);
void channel_available(struct worker *w);
/* The first word of a process that has room left. */
void channel_works(struct worker *w);
/* A task: drains when master closes its end. */
void channel_watch(void *worker);

/* stop.c: what SIGTERM means to this service. */
MUST_CHECK bool stop_watch(struct worker *w, struct err *err);

/* confine.c: enters the sandbox that the service's needs describe. */
void confine(struct worker *w);

/* limits.c: fills run.session_limit and session_most. */
void limits_set(struct worker *w);

/* worker.c */
/* The first task. */
void worker_main(void *worker);
bool worker_is_full(const struct worker *w);
/* Around each session or trigger. */
void worker_begin(struct worker *w);
void worker_end(struct worker *w);

/* stream_worker.c, other_workers.c: the task of one listener. */
struct listener {
    struct worker *worker;
    int fd, index;
};
/* Waits for a connection; false when it is time to end. */
bool listener_wait(struct listener *l);
/* After an accept that failed, errno says why: other than that nobody waits is told, and a second passes. */
void listener_pause(void);
void stream_listener(void *listener);
void trigger_listener(void *listener);
void datagram_listener(void *listener);
/* One session on stdin and stdout. */
void standalone_session(struct worker *w);

#endif
