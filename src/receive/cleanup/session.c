/* One conversation: hello, flags, records up to E, answer.  Source: ipc.md section 8.2. */
#include "mail/events/events.h"
#include "receive/cleanup/message.h"

enum { RECORD_MOST = 1 << 20, ARENA_MOST = 16 << 20, WORK_MOST = 64 << 20, TEXT_MOST = 1 << 20 };

/* ---- records ---- */

/* One that is not all here yet, into ROOM. */
static enum record_got gather_record(struct stream *s, struct buf *room, deadline by, int *type, struct err *err)
{
    unsigned char byte;
    size_t length = 0;
    char c, *to;

    if (!stream_read_byte(s, &c, by, err))
        return err->kind == ERR_PEER ? RECORD_EOF : RECORD_BAD;
    *type = (unsigned char)c;
    for (unsigned shift = 0;; shift += 7) {
        if (shift >= 28) {
            (void)err_set(err, ERR_SYNTAX, "cleanup socket: too many length bits, record type %d", *type);
            return RECORD_BAD;
        }
        if (!stream_read_byte(s, &c, by, err)) {
            (void)err_note(err, "cleanup socket: reading length, record type %d", *type);
            return RECORD_BAD;
        }
        byte = (unsigned char)c;
        length |= (size_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            break;
    }
    buf_clear(room);
    to = length > RECORD_MOST ? NULL : buf_reserve(room, length + 1);
    if (to == NULL) {
        (void)err_set(err, ERR_SYNTAX, "cleanup socket: illegal length %zu, record type %d", length, *type);
        return RECORD_BAD;
    }
    if (!stream_read_exact(s, to, length, by, err)) {
        (void)err_note(err, "cleanup socket: reading data, record type %d length %zu", *type, length);
        return RECORD_BAD;
    }
    buf_commit(room, length);
    return RECORD_READ;
}

/* RECORD_EOF: the client went away between records.  RECORD_BAD: *ERR.  *DATA is on loan from S or from ROOM. */
static enum record_got read_record(struct stream *s, struct buf *room, deadline by, int *type, slice *data, struct err *err)
{
    slice ahead = stream_ahead(s), rest = ahead;
    enum record_got got;

    if (cut_record(&rest, type, data) == RECORD_READ) {
        stream_skip(s, ahead.n - rest.n);
        return RECORD_READ;
    }
    got = gather_record(s, room, by, type, err);
    if (got == RECORD_READ)
        *data = buf_slice(room);
    return got;
}

static void take_record(struct message *m, int type, slice data)
{
    if (type == RECORD_POINTER || type == RECORD_PADDING) {
        event_warning("%s: record type %d not allowed - discarding this message", output_id(&m->output), type);
        m->status |= CLEANUP_BAD;
        return;
    }
    switch (m->part) {
    case PART_ENVELOPE:
        envelope_record(m, type, data);
        break;
    case PART_CONTENT:
        content_record(m, type, data);
        break;
    case PART_EXTRACTED:
        extracted_record(m, type, data);
        break;
    case PART_OVER:
        break;
    }
    arena_reset(&m->work);
}

/* Once nothing can come of the message, the rest is read and thrown away, so that the client gets its answer. */
static bool is_skipping(const struct message *m)
{
    return message_is_lost(m) || (m->flags & CLEANUP_DISCARD) != 0 || m->output.state != OUTPUT_GOOD;
}

/* False: the client left before the end. */
static bool read_records(struct message *m, struct stream *s, struct err *err)
{
    AUTO_BUF struct buf room = BUF_INIT(RECORD_MOST + 1);
    int64_t patience = m->desk->params->ipc_timeout_us;
    slice data;
    int type;

    do {
        if (m->part == PART_CONTENT && !is_skipping(m))
            content_plain(m);
        if (stream_buffered(s) == 0)
            m->by = deadline_in(patience);
        switch (read_record(s, &room, m->by, &type, &data, err)) {
        case RECORD_EOF:
            return false;
        case RECORD_BAD:
            if (err->kind != ERR_CANCELLED)
                event_warning("%s", err->text);
            return false;
        case RECORD_READ:
            break;
        }
        if (!is_skipping(m))
            take_record(m, type, data);
    } while (type != RECORD_END);
    return true;
}

/* ---- the conversation ---- */

static void stale_log(const char *id, const char *log)
{
    event_warning("%s: removed spurious %s log", id, log);
}

static bool greet(struct message *m, struct stream *s, struct err *err)
{
    const struct cleanup_hello hello = {S(CLEANUP_PROTOCOL), slice_text(output_id(&m->output))};
    struct cleanup_ask ask;

    if (!ipc_write(s, &cleanup_hello_shape, &hello, m->by, err) || !stream_flush(s, m->by, err))
        return false;
    switch (ipc_read(s, &cleanup_ask_shape, &m->work, m->by, &ask, err)) {
    case IPC_FAILED:
        event_warning("%s", err->text);
        return false;
    case IPC_END:
        return err_set(err, ERR_PEER, "cleanup socket: premature end-of-input");
    case IPC_MESSAGE_READ:
        break;
    }
    m->flags = ask.flags;
    if ((ask.flags & CLEANUP_SMTPUTF8) != 0)
        m->sendopts |= SENDOPT_REQUESTED;
    return true;
}

static bool converse(struct message *m, struct stream *s, struct err *err)
{
    struct cleanup_answer answer;
    bool complete;
    char zeros[SIZE_RECORD_BYTES + 1];

    if (!greet(m, s, err))
        return false;
    size_record_print(&(struct size_record){.message_bytes = 0}, zeros);
    (void)message_record(m, RECORD_SIZE, slice_of(zeros + 2, SIZE_RECORD_BYTES - 2));
    complete = read_records(m, s, err);
    if (err->kind == ERR_CANCELLED)
        return false;
    m->by = deadline_in(m->desk->params->ipc_timeout_us);
    if (complete)
        message_finish(m);
    else
        m->status |= CLEANUP_BAD;
    output_done(&m->output); /* who gets the answer no longer finds a file that was not kept */
    answer = (struct cleanup_answer){m->status, m->reason};
    return ipc_write(s, &cleanup_answer_shape, &answer, m->by, err) && stream_flush(s, m->by, err) && complete;
}

static void message_done(struct message *m)
{
    content_done(m);
    output_done(&m->output);
    map_done(&m->written, NULL);
    buf_done(&m->orig_rcpt);
    buf_done(&m->last_recipient);
    buf_done(&m->original);
    arena_done(&m->work);
    arena_done(&m->arena);
}

bool session_run(struct desk *desk, struct stream *s, int64_t *status, struct err *err)
{
    const struct params *p = desk->params;
    struct message m = {.desk = desk, .client = s, .by = deadline_in(p->ipc_timeout_us)};
    bool good;

    if (!output_open(&m.output, &desk->layout, p->enable_long_queue_ids, p->message_size_limit, stale_log, err)) {
        event_warning("mail_queue_enter: %s", err->text);
        output_done(&m.output);
        return false;
    }
    arena_init(&m.arena, ARENA_MOST);
    arena_init(&m.work, WORK_MOST);
    buf_init(&m.orig_rcpt, TEXT_MOST);
    buf_init(&m.last_recipient, TEXT_MOST);
    m.bcc_end = &m.bccs;
    buf_init(&m.original, TEXT_MOST);
    map_init(&m.written);
    stream_set_name(s, "cleanup socket");
    stream_set_bulk(s, true);
    err_clear(err);
    good = converse(&m, s, err);
    *status = m.status;
    message_done(&m);
    return good;
}
