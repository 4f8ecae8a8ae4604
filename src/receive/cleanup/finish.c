/* How a message ends: in the queue, returned, or gone.  Source: architecture section 3, queue-file.md section 9. */
#include <unistd.h>

#include "mail/agent/report.h"
#include "mail/events/events.h"
#include "mail/queue/commit.h"
#include "mail/queue/envelope_reader.h"
#include "mail/service/service.h"
#include "mail/service/trigger.h"
#include "receive/cleanup/message.h"

enum { READ_AT_ONCE = 500 };

/* ---- returning to the sender ---- */

struct returning {
    struct message *m;
    struct outcome outcome;
    struct message_times times;
    bool failed;
};

static struct outcome outcome_of(int64_t status, slice reason)
{
    struct outcome o = {
        .kind = OUTCOME_BOUNCED, .relay = S("none"), .dsn = {5, 7, 1}, .reason = S("message content rejected")};

    if ((status & CLEANUP_CONTENT) != 0) {
        if (cut_dsn_code(&reason, &o.dsn))
            o.reason = slice_trim(reason);
    } else if ((status & CLEANUP_HOPS) != 0) {
        o.dsn = (struct dsn_code){5, 4, 0};
        o.reason = S("too many hops");
    } else if ((status & CLEANUP_SIZE) != 0) {
        o.dsn = (struct dsn_code){5, 3, 4};
        o.reason = S("message file too big");
    }
    return o;
}

static bool return_recipient(void *context, const struct recipient *r, bool done)
{
    struct returning *b = context;
    slice id = slice_text(output_id(&b->m->output));
    const struct event_attempt attempt = {.id = id,
                                          .recipient = r,
                                          .times = &b->times,
                                          .outcome = &b->outcome,
                                          .delay_digits = b->m->desk->params->delay_logging_resolution_limit};
    struct err err;

    if (done)
        return true;
    if (!report_append(BOUNCE_SERVICE, STATUS_CLEAN, id, r, &b->outcome, b->m->by, &err)) {
        event_warning("%s: bounce service failure: %s", id.p, err.text);
        b->failed = true;
        return false;
    }
    event_attempt(&attempt);
    return true;
}

/* The recipients are read back from the file: they were not kept. */
static bool return_recipients(struct returning *b)
{
    struct message *m = b->m;
    AUTO_ARENA struct arena arena = ARENA_INIT(16U << 20);
    struct envelope envelope;
    struct envelope_cursor cursor;
    struct err err;
    char path[QUEUE_PATH_MOST];

    if (!queue_path(&m->desk->layout, m->output.queue, slice_text(output_id(&m->output)), path))
        return false;
    if (lseek(m->output.file.fd, 0, SEEK_SET) != 0 ||
        !envelope_read(m->output.file.fd, path, &arena, READ_AT_ONCE, return_recipient, b, &envelope, &cursor, &err)) {
        if (!b->failed)
            event_warning("%s", err.text);
        return !b->failed; /* a file cut short: who could be read has been told */
    }
    while (cursor.next_offset > 0) {
        arena_reset(&arena);
        if (!envelope_read_more(m->output.file.fd, path, &arena, READ_AT_ONCE, return_recipient, b, &cursor, &err))
            return !b->failed;
    }
    return !b->failed;
}

static bool return_message(struct message *m)
{
    int64_t now = clock_wall_us();
    struct returning b = {.m = m,
                          .outcome = outcome_of(m->status, m->reason),
                          .times = {.arrival_us = m->arrival_us, .active_us = now, .agent_us = now}};
    const struct status_verp report = {.nrequest = STATUS_FLUSH,
                                       .flags = STATUS_CLEAN,
                                       .queue_name = m->output.queue,
                                       .queue_id = slice_text(output_id(&m->output)),
                                       .encoding = m->encoding,
                                       .smtputf8 = m->sendopts,
                                       .sender = m->sender,
                                       .envelope_id = m->envelope_id,
                                       .ret_flags = (m->status & (CLEANUP_CONTENT | CLEANUP_SIZE)) != 0 ? RET_HEADERS
                                                                                                        : m->ret_flags};
    struct err err;

    if (!return_recipients(&b))
        return false;
    if (report_flush(BOUNCE_SERVICE, &report, m->by, &err))
        return true;
    event_warning("%s: bounce service failure: %s", output_id(&m->output), err.text);
    return false;
}

/* ---- completing ---- */

static struct size_record size_of(const struct message *m)
{
    int64_t content = m->extracted_offset - m->data_offset;

    return (struct size_record){
        .message_bytes = content,
        .data_offset = m->data_offset,
        .recipients = m->recipients,
        .qmgr_flags = (m->mixed ? 1 : 0) | m->notify_union << 1,
        .content_bytes = content,
        .sendopts = m->sendopts,
    };
}

/* A message that is returned because it grew too big: what is there becomes a well-formed file. */
static void close_cut_content(struct message *m)
{
    if (m->extracted_offset == 0) {
        m->extracted_offset = output_offset(&m->output);
        (void)output_mark(&m->output, RECORD_EXTRACTED);
    }
}

static void add_last_records(struct message *m)
{
    const char *always = m->desk->params->always_bcc;

    arena_reset(&m->work);
    if (m->recipients > 0 && always[0] != '\0' && (m->flags & CLEANUP_BCC_OK) != 0)
        recipient_bcc(m, slice_text(always));
    for (const struct bcc *b = m->bccs; b != NULL && !message_is_lost(m); b = b->next) {
        arena_reset(&m->work);
        recipient_bcc(m, b->address);
    }
    if (m->recipients == 0 && (m->trace_flags & 256) == 0)
        message_reject(m, CLEANUP_NO_RECIPIENTS, NULL);
    else
        (void)message_record(m, RECORD_END, S(""));
}

static bool complete(struct message *m)
{
    const struct size_record size = size_of(m);

    if (m->output.state == OUTPUT_TOO_BIG)
        (void)output_mark(&m->output, RECORD_END);
    if (output_complete(&m->output, &size))
        return true;
    message_fail(m, &m->output.err);
    return false;
}

static void commit(struct message *m)
{
    bool hold = (m->flags & CLEANUP_HOLD) != 0;
    struct err err;

    if (stream_peer_is_gone(m->client)) { /* it will not hear that the message was taken, and send it again */
        m->status |= CLEANUP_BAD;
        return;
    }
    if (hold && !output_move(&m->output, S(QUEUE_HOLD))) {
        message_fail(m, &m->output.err);
        return;
    }
    if (!queue_commit(&m->desk->committer, m->output.file.fd, QUEUE_MODE_READY, m->by, &err)) {
        message_fail(m, &err);
        return;
    }
    output_keep(&m->output);
    if (hold)
        flow_put(1);
    else
        trigger_later("public/qmgr", S("W"));
}

void message_finish(struct message *m)
{
    if ((m->flags & CLEANUP_DISCARD) != 0 || message_is_lost(m))
        return;
    close_cut_content(m);
    add_last_records(m);
    if (message_is_lost(m) || !complete(m))
        return;
    if (m->status == 0)
        commit(m);
    else if (return_message(m))
        m->status = 0;
    else
        m->status |= CLEANUP_WRITE;
}
