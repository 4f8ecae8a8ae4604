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
#include "route/qmgr/move.h"
#include "route/qmgr/read.h"
#include "route/qmgr/route.h"
#include "route/qmgr/state.h"

enum { REFILL_BELOW = 100 /* recipients of a message in memory */ };

/* ---- reports ---- */

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

    if (!message_path(m, BOUNCE_SERVICE, path) || stat(path, &st) != 0)
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
        !message_path(m, QUEUE_ACTIVE, path))
        return;
    AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || !queue_mark(fd, m->envelope.trace_offset, 'A', 'K', &err))
        event_warning("%s: cannot turn its trace record off", path);
}

bool finish_confirms_delay(const struct message *m)
{
    return qmgr.params->confirm_delay_cleared && m->envelope.warn_time < 0;
}

static void report_trace(struct message *m)
{
    char path[QUEUE_PATH_MOST];
    struct stat st;

    if (m->envelope.trace_flags == 0 && !finish_confirms_delay(m) && (m->envelope.size.qmgr_flags & NOTIFY_SUCCESS << 1) == 0)
        return;
    if (!message_path(m, TRACE_SERVICE, path) || stat(path, &st) != 0)
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
    if (!ask_report(m, DEFER_SERVICE, STATUS_WARN, 0) || !message_path(m, QUEUE_ACTIVE, path))
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

/* May run on a helper thread. */
static void unlink_all(void *arg)
{
    struct unlinking *u = arg;

    for (size_t i = 0; i < u->count; i++) {
        char path[QUEUE_PATH_MOST];

        if (message_path(u->messages[i], QUEUE_ACTIVE, path) && unlink(path) != 0)
            u->failures[i] = errno;
    }
}

/* What is still there is deferred: with no recipient left, the next attempt is to remove it.  M is freed. */
static void removed(struct message *m, int failure)
{
    if (failure == 0)
        event_removed(message_id(m));
    else
        event_warning("remove active/%s: %s", m->id, strerror(failure));
    if (failure != 0 && failure != ENOENT)
        move_to_deferred(m);
    message_free(m);
}

static void remove_doomed(void)
{
    while (doomed.count > 0) {
        struct unlinking u = {doomed.messages, xcalloc(doomed.count, sizeof *u.failures), doomed.count};

        doomed.messages = NULL;
        doomed.count = doomed.cap = 0;
        pool_run_brief(unlink_all, &u);
        for (size_t i = 0; i < u.count; i++) {
            removed(u.messages[i], u.failures[i]);
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
    move_to_deferred(m);
    message_free(m);
}

static void read_and_route(struct message *m)
{
    struct batch *b;

    m->reading = true;
    b = read_more(m);
    route_batch(b);
    m->reading = false;
    if (b->entries == 0)
        batch_done(b);
}

/* Several tasks may come here for one message; the one that finds nothing left ends it. */
static void settle(struct message *m)
{
    while (!m->reading && m->cursor.next_offset != 0 && m->in_memory <= REFILL_BELOW) {
        read_and_route(m);
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
