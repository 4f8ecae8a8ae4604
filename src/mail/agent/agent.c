#include "mail/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "mail/events/events.h"
#include "mail/queue/dir.h"
#include "mail/service/service.h"

/* The queue manager sends at most default_destination_recipient_limit recipients, but limits can be raised. */
enum { REQUEST_BYTES = 64 * 1024 * 1024, RECIPIENTS_MOST = 100000 };

/* ---- the request ---- */

static bool read_recipients(struct agent_request *r, struct stream *s, struct err *err)
{
    if (r->wire.recipient_count < 1 || r->wire.recipient_count > RECIPIENTS_MOST)
        return err_set(err, ERR_PEER, "%s: bad recipient count %lld", stream_name(s), (long long)r->wire.recipient_count);
    r->recipient_count = (size_t)r->wire.recipient_count;
    r->recipients = arena_alloc_array(r->arena, r->recipient_count, sizeof *r->recipients);
    r->done = arena_alloc_array(r->arena, r->recipient_count, sizeof *r->done);
    r->reported = arena_alloc_array(r->arena, r->recipient_count, sizeof *r->reported);
    if (r->recipients == NULL || r->done == NULL || r->reported == NULL)
        return err_set(err, ERR_LIMIT, "%s: too many recipients", stream_name(s));
    for (size_t i = 0; i < r->recipient_count; i++) {
        struct delivery_recipient one;
        enum ipc_got got = ipc_read(s, &delivery_recipient_shape, r->arena, r->by, &one, err);

        if (got == IPC_END)
            return err_set(err, ERR_PEER, "%s: closed before all recipients came", stream_name(s));
        if (got != IPC_MESSAGE_READ)
            return false;
        r->recipients[i] = (struct recipient){.original = one.original_recipient,
                                              .address = one.recipient,
                                              .dsn_orig_rcpt = one.dsn_orig_rcpt,
                                              .notify = (int)one.notify_flags,
                                              .offset = one.offset};
    }
    return true;
}

static bool open_file(struct agent_request *r, struct err *err)
{
    const struct params *p = service_params();
    const struct queue_layout layout = {slice_text(p->hash_queue_names), p->hash_queue_depth};
    struct stat st;

    if (!queue_path(&layout, r->wire.queue_name, r->wire.queue_id, r->path))
        return err_set(err, ERR_PEER, "bad queue name or id");
    if (queue_file_check(r->path, &st) != QUEUE_FILE_READY)
        return err_set(err, ERR_NOT_FOUND, "%s: no such complete file", r->path);
    r->fd = open(r->path, O_RDWR | O_CLOEXEC);
    if (r->fd < 0)
        return err_sys(err, "open %s", r->path);
    if (!queue_lock(r->fd, false, err))
        return err_note(err, "lock %s", r->path);
    return true;
}

/* IPC_END: the queue manager has nothing for us after all. */
static enum ipc_got read_request(struct agent_request *r, struct stream *s, struct err *err)
{
    enum ipc_got got = ipc_read(s, &delivery_request_shape, r->arena, r->by, &r->wire, err);

    if (got != IPC_MESSAGE_READ)
        return got;
    if (!read_recipients(r, s, err))
        return IPC_FAILED;
    if (!message_times_decode(r->wire.time, &r->times)) {
        (void)err_set(err, ERR_PEER, "%s: bad time data", stream_name(s));
        return IPC_FAILED;
    }
    if (r->times.agent_us == 0)
        r->times.agent_us = clock_wall_us();
    return IPC_MESSAGE_READ;
}

/* ---- the frame ---- */

/* The successor of a queue manager that has died sends the request again.  It leaves the file alone while we have it locked; but
 * before that it may have read it, and so it has if the one that we talk to is gone. */
static void deliver_and_report_rest(struct agent_request *r, struct stream *s, agent_deliver_fn *deliver)
{
    static const struct outcome forgotten = {
        .kind = OUTCOME_DEFERRED, .dsn = {4, 3, 0}, .reason = S_INIT("mail delivery failed")};
    struct err err;

    if (!open_file(r, &err)) {
        /* Deleted meanwhile, or another process is still delivering it: nobody's fault, and nothing to report. */
        event_warning("%.*s: %s", S_ARG(r->wire.queue_id), err.text);
        r->some_deferred = true;
    } else if (stream_peer_is_gone(s)) {
        r->some_deferred = true;
    } else {
        deliver(r);
        agent_report_rest(r, &forgotten);
    }
    if (r->fd >= 0)
        (void)close(r->fd);
}

static void answer(struct agent_request *r, struct stream *s)
{
    struct err err;

    r->answer.result = r->some_deferred ? -1 : 0;
    /* A queue manager that is gone has a successor, which sees by the file what is done. */
    if ((!ipc_write(s, &delivery_answer_shape, &r->answer, r->by, &err) || !stream_flush(s, r->by, &err)) &&
        err.sys != EPIPE && err.sys != ECONNRESET)
        event_warning("%.*s: answer to the queue manager: %s", S_ARG(r->wire.queue_id), err.text);
}

void agent_serve(struct stream *s, agent_deliver_fn *deliver)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(REQUEST_BYTES);
    struct agent_request r = {.fd = -1, .arena = &arena, .by = deadline_in(service_params()->ipc_timeout_us)};
    struct err err;

    /* Our queue manager mostly sends the request together with the connection: then the hello goes out with the answer. */
    if (!ipc_hello(s, DELIVERY_PROTOCOL, r.by, &err))
        return; /* the queue manager went away */
    stream_expect_input(s);
    switch (read_request(&r, s, &err)) {
    case IPC_END:
        return;
    case IPC_FAILED:
        if (err.kind != ERR_CANCELLED)
            event_warning("delivery request: %s", err.text);
        return;
    case IPC_MESSAGE_READ:
        break;
    }
    r.by = deadline_in(service_params()->ipc_timeout_us);
    deliver_and_report_rest(&r, s, deliver);
    r.by = deadline_in(service_params()->ipc_timeout_us);
    answer(&r, s);
}

/* ---- for agents ---- */

void agent_destination_failed(struct agent_request *r, const struct outcome *o)
{
    char dsn[DSN_CODE_TEXT];
    struct delivery_answer a = {.action = o->action.n > 0 ? o->action : S("delayed")};

    dsn_code_print(o->dsn, dsn);
    if (arena_copy(r->arena, slice_text(dsn), &a.status) && arena_copy(r->arena, o->diag_type, &a.diag_type) &&
        arena_copy(r->arena, o->diag_text, &a.diag_text) && arena_copy(r->arena, o->mta_type, &a.mta_type) &&
        arena_copy(r->arena, o->mta_name, &a.mta_mname) && arena_copy(r->arena, o->reason, &a.reason))
        r->answer = a;
}

struct queue_reader *agent_content(struct agent_request *r)
{
    return queue_reader_open_at(r->fd, r->wire.offset, r->path, 0);
}
