#include "route/qmgr/finish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/file.h"
#include "core/run/pool.h"
#include "mail/agent/report.h"
#include "mail/events/events.h"
#include "mail/proto/delivery.h"
#include "mail/proto/status.h"
#include "mail/queue/dir.h"
#include "route/qmgr/intake.h"

enum { REFILL_BELOW = 100 /* recipients of a message in memory */ };

/* ---- memory ---- */

void batch_done(struct batch *b)
{
    struct message *m = b->message;

    qmgr.recipients -= b->count;
    m->in_memory -= b->count;
    free(b->recipients);
    b->recipients = NULL;
    b->count = b->cap = 0;
    if (b == &m->first)
        return; /* its arena has the envelope */
    arena_done(&b->arena);
    free(b);
}

void message_free(struct message *m)
{
    if (map_get(&qmgr.active, message_id(m)) == m)
        map_take(&qmgr.active, message_id(m));
    if (m->first.recipients != NULL)
        batch_done(&m->first);
    arena_done(&m->first.arena);
    free(m);
    qmgr_kick_intake();
}

/* ---- reports ---- */

static bool path_in(const char *queue, const struct message *m, char to[QUEUE_PATH_MOST])
{
    return queue_path(&qmgr.layout, slice_text(queue), message_id(m), to);
}

static bool ask_report(struct message *m, const char *service, enum status_request request, int64_t flags)
{
    const struct envelope *v = &m->envelope;
    struct err err;
    const struct status_verp ask = {
        .nrequest = request, .flags = flags, .queue_name = S(QUEUE_ACTIVE), .queue_id = message_id(m),
        .encoding = v->encoding, .smtputf8 = v->sendopts, .sender = v->sender, .envelope_id = v->envelope_id,
        .ret_flags = v->ret_flags, .verp_delimiters = v->verp,
    };

    if (report_flush(service, &ask, deadline_in(SECONDS(300)), &err))
        return true;
    event_warning("%s: %s service failure: %s", m->id, service, err.text);
    return false;
}

static enum status_request non_delivery(const struct message *m)
{
    return m->envelope.verp.n > 0 && m->envelope.sender.n > 0 ? STATUS_VERP : STATUS_FLUSH;
}

static void report_failed(struct message *m)
{
    event_info("%s: status=deferred (bounce failed)", m->id);
    m->deferred = true;
    m->bounce_failed = true;
}

/* What agents and the error transport have put into bounce/ID. */
static void report_bounces(struct message *m)
{
    char path[QUEUE_PATH_MOST];
    struct stat st;

    if (!path_in(BOUNCE_SERVICE, m, path) || stat(path, &st) != 0)
        return;
    if (st.st_size == 0) {
        if (unlink(path) != 0 && errno != ENOENT)
            event_warning("remove %s: %s", path, strerror(errno));
        return;
    }
    if (!ask_report(m, BOUNCE_SERVICE, non_delivery(m), 0))
        report_failed(m);
}

/* "sendmail -v" asks for one report only. */
static void kill_trace_record(struct message *m)
{
    char path[QUEUE_PATH_MOST];
    struct err err;

    if ((m->envelope.trace_flags & DELIVERY_RECORD) == 0 || m->envelope.trace_offset <= 0 || !m->deferred ||
        !path_in(QUEUE_ACTIVE, m, path))
        return;
    AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || !queue_mark(fd, m->envelope.trace_offset, 'A', 'K', &err))
        event_warning("%s: cannot turn its trace record off", path);
}

static void report_trace(struct message *m)
{
    char path[QUEUE_PATH_MOST];
    struct stat st;

    if (m->envelope.trace_flags == 0 && (m->envelope.size.qmgr_flags & NOTIFY_SUCCESS << 1) == 0)
        return;
    if (!path_in(TRACE_SERVICE, m, path) || stat(path, &st) != 0)
        return;
    if (ask_report(m, TRACE_SERVICE, STATUS_TRACE, m->envelope.trace_flags))
        kill_trace_record(m);
    else
        report_failed(m);
}

static bool has_expired(const struct message *m)
{
    const struct params *p = qmgr.params;
    int64_t lifetime_us = m->envelope.sender.n == 0 ? p->bounce_queue_lifetime_us : p->maximal_queue_lifetime_us;

    return m->expire || clock_wall_us() >= m->envelope.create_time * SECONDS(1) + lifetime_us;
}

static void return_expired(struct message *m)
{
    event_expired(&(struct event_expired){message_id(m), m->envelope.sender, m->expire});
    if (ask_report(m, DEFER_SERVICE, non_delivery(m), STATUS_DELETE_RECIPIENTS))
        m->deferred = false;
    else
        report_failed(m);
}

/* Once only: then the W record says -1. */
static void warn_of_delay(struct message *m)
{
    const struct envelope *v = &m->envelope;
    char path[QUEUE_PATH_MOST], text[16];

    if (v->warn_time <= 0 || v->sender.n == 0 || clock_wall_us() < (v->warn_time - 1) * SECONDS(1))
        return;
    if (!ask_report(m, DEFER_SERVICE, STATUS_WARN, 0) || !path_in(QUEUE_ACTIVE, m, path))
        return;
    AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    (void)snprintf(text, sizeof text, "%15d", -1);
    if (fd < 0 || pwrite(fd, text, 15, v->warn_offset) != 15)
        event_warning("%s: cannot turn its delay warning off: %s", path, strerror(errno));
}

/* ---- removal, many files in one go ---- */

static struct doomed_files {
    struct message **messages;
    int *failures; /* errno */
    size_t count, cap;
    bool at_work;
} doomed;

struct unlinking {
    struct message **messages;
    int *failures;
    size_t count;
};

/* Runs on a helper thread. */
static void unlink_all(void *arg)
{
    struct unlinking *u = arg;

    for (size_t i = 0; i < u->count; i++) {
        char path[QUEUE_PATH_MOST];

        if (path_in(QUEUE_ACTIVE, u->messages[i], path) && unlink(path) != 0)
            u->failures[i] = errno;
    }
}

static void remove_doomed(void)
{
    while (doomed.count > 0) {
        struct unlinking u = {doomed.messages, xcalloc(doomed.count, sizeof *u.failures), doomed.count};

        doomed.messages = NULL;
        doomed.count = doomed.cap = 0;
        pool_run(unlink_all, &u);
        for (size_t i = 0; i < u.count; i++) {
            if (u.failures[i] == 0)
                event_removed(message_id(u.messages[i]));
            else
                event_warning("remove active/%s: %s", u.messages[i]->id, strerror(u.failures[i]));
            message_free(u.messages[i]);
        }
        free(u.messages);
        free(u.failures);
    }
}

/* Whoever comes first removes for all who come meanwhile, and lets the others of this turn come. */
static void remove_message(struct message *m)
{
    struct err unused;

    if (doomed.count == doomed.cap) {
        doomed.cap = doomed.cap == 0 ? 16 : doomed.cap * 2;
        doomed.messages = xrealloc_array(doomed.messages, doomed.cap, sizeof *doomed.messages);
    }
    doomed.messages[doomed.count++] = m;
    if (doomed.at_work)
        return;
    doomed.at_work = true;
    (void)!task_yield(&unused);
    remove_doomed();
    doomed.at_work = false;
}

/* ---- waiting for another time ---- */

static void save_corrupt(struct message *m)
{
    struct err err;

    event_warning("saving corrupt file \"%s\" from queue \"%s\" to queue \"%s\"", m->id, QUEUE_ACTIVE, QUEUE_CORRUPT);
    if (!queue_move(&qmgr.layout, S(QUEUE_ACTIVE), S(QUEUE_CORRUPT), message_id(m), &err))
        event_warning("%s", err.text);
}

static int64_t next_attempt(const struct message *m, int64_t now_us)
{
    const struct backoff rules = {qmgr.params->minimal_backoff_time_us, qmgr.params->maximal_backoff_time_us,
                                  BACKOFF_JITTER_PERCENT};

    return now_us + backoff_delay(&rules, now_us - m->envelope.create_time * SECONDS(1), qmgr_random());
}

static void put_off(struct message *m)
{
    int64_t at_s = next_attempt(m, clock_wall_us()) / SECONDS(1);
    const struct timespec times[2] = {{.tv_sec = at_s}, {.tv_sec = at_s}};
    char path[QUEUE_PATH_MOST];
    struct stat st;
    struct err err;

    if (!path_in(QUEUE_ACTIVE, m, path))
        return;
    if (lstat(path, &st) != 0) {
        if (errno != ENOENT)
            event_warning("%s: %s", path, strerror(errno));
        return;
    }
    if ((st.st_mode & S_IRWXU) == QUEUE_MODE_CORRUPT) {
        save_corrupt(m);
        return;
    }
    if (utimensat(AT_FDCWD, path, times, 0) != 0)
        event_warning("%s: update time stamps: %s", path, strerror(errno));
    if (queue_move(&qmgr.layout, S(QUEUE_ACTIVE), S(QUEUE_DEFERRED), message_id(m), &err))
        due_put(&qmgr.due, message_id(m), at_s * SECONDS(1), st.st_ino, st.st_size);
    else if (err.sys != ENOENT)
        event_warning("%s", err.text);
}

/* ---- ends ---- */

static void finish_message(struct message *m)
{
    report_bounces(m);
    report_trace(m);
    if (m->deferred && !m->bounce_failed) {
        if (has_expired(m))
            return_expired(m);
        else
            warn_of_delay(m);
    }
    if (!m->deferred) {
        remove_message(m);
        return;
    }
    put_off(m);
    message_free(m);
}

/* Several tasks may come here for one message; the one that finds nothing left ends it. */
static void settle(struct message *m)
{
    while (!m->reading && m->cursor.next_offset != 0 && m->in_memory <= REFILL_BELOW) {
        m->reading = true;
        intake_read_more(m);
        m->reading = false;
    }
    if (!m->reading && m->cursor.next_offset == 0 && m->scheduled.entries == 0)
        finish_message(m);
}

void finish_entry(struct batch *b)
{
    struct message *m = b->message;

    if (--b->entries == 0)
        batch_done(b);
    settle(m);
}

void finish_routed(struct batch *b)
{
    struct message *m = b->message;

    if (b->entries == 0)
        batch_done(b);
    settle(m);
}
