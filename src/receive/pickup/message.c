#include "receive/pickup/message.h"

#include <unistd.h>

#include "core/base/cut.h"
#include "mail/content/submit.h"
#include "mail/events/events.h"
#include "mail/proto/cleanup.h"
#include "mail/queue/reader.h"
#include "mail/syntax/date.h"

enum { MEMORY = 1 << 20 };

enum segment { ENVELOPE, CONTENT, EXTRACTED, OVER };

struct pickup {
    const struct params *params;
    const struct stat *st;
    const char *path;
    slice id;
    bool is_requeued;
    int fd;
    struct submission to;
    struct arena arena;
    struct queue_reader *reader;
    slice sender;
    bool has_sender, sent_time, at_content_start;
    deadline by;
    struct err err;
};

static bool put(struct pickup *p, int type, slice data)
{
    return submit_record(&p->to, type, data, p->by, &p->err);
}

static bool is_named(slice attribute, const char *const names[], size_t count)
{
    slice name, value;

    if (!attribute_parse(attribute, &name, &value))
        return false;
    for (size_t i = 0; i < count; i++)
        if (slice_eq(name, slice_text(names[i])))
            return true;
    return false;
}

/* After the content a submitter may say this much and no more. */
static bool attribute_may_follow_content(slice attribute)
{
    static const char *const names[] = {"dsn_orig_rcpt", "notify_flags", "envelope_id", "ret_flags", "create_time"};

    return is_named(attribute, names, COUNT_OF(names));
}

/* Ours is the say where mail is sent; a file's own filter or redirection does not count. */
static bool is_dropped(int type, enum segment in, slice data)
{
    if (type == RECORD_REDIRECT || (type == RECORD_LONG_TEXT && in != CONTENT))
        return true;
    return in == EXTRACTED && type == RECORD_ATTRIBUTE && !attribute_may_follow_content(data);
}

static bool put_time(struct pickup *p, slice data)
{
    slice filter = slice_text(p->params->content_filter);

    if (p->sent_time)
        return true; /* the first one counts */
    p->sent_time = true;
    return put(p, RECORD_TIME, data) && (filter.n == 0 || p->is_requeued || put(p, RECORD_LONG_TEXT, filter));
}

/* ---- from envelope to content ---- */

static void log_received(const struct pickup *p)
{
    event_received_local(&(struct event_received_local){
        .id = slice_text(p->to.queue_id),
        .uid = (unsigned)p->st->st_uid,
        .sender = p->sender,
        .orig_id = p->is_requeued ? p->id : S(""),
    });
}

/* The walkthrough's row B12: the file's end is looked at before anything is sent; reading then goes on where it was. */
static bool look_at_end(struct pickup *p)
{
    off_t here = lseek(p->fd, 0, SEEK_CUR), end = lseek(p->fd, 0, SEEK_END);

    if (here < 0 || end < 0 || (here != end && lseek(p->fd, here, SEEK_SET) < 0))
        return err_sys(&p->err, "seek in %s", p->path);
    return true;
}

static bool begin_content(struct pickup *p)
{
    char date[MAIL_DATE_MOST];

    log_received(p);
    if (!look_at_end(p) || !put(p, RECORD_CONTENT, S("")))
        return false;
    mail_date_print(p->st->st_mtime, date);
    p->at_content_start = true;
    return submit_recordf(&p->to, p->by, &p->err, RECORD_TEXT, "Received: by %s (%s, from userid %u)", p->params->myhostname,
                          p->params->mail_name, (unsigned)p->st->st_uid) &&
           submit_recordf(&p->to, p->by, &p->err, RECORD_TEXT, "\tid %s; %s", p->to.queue_id, date);
}

/* ---- records ---- */

enum copied { COPIED, BAD_RECORD, NO_SENDER, TROUBLE };

static enum copied copy_record(struct pickup *p, enum segment *in, int type, slice data)
{
    bool known = *in == CONTENT ? record_in_content(type) : *in == ENVELOPE ? record_in_envelope(type) : record_in_extracted(type);

    if (!known)
        return BAD_RECORD;
    if (is_dropped(type, *in, data))
        return COPIED;
    switch (type) {
    case RECORD_TIME:
        return put_time(p, data) ? COPIED : TROUBLE;
    case RECORD_SENDER:
        p->sender = arena_keep(&p->arena, data, S(""));
        p->has_sender = true;
        break;
    case RECORD_CONTENT:
        if (!p->has_sender)
            return NO_SENDER;
        *in = CONTENT;
        return begin_content(p) ? COPIED : TROUBLE;
    case RECORD_EXTRACTED:
        *in = EXTRACTED;
        break;
    case RECORD_END:
        *in = OVER;
        break;
    default:
        break;
    }
    /* A first line that looks like a folded one would become part of our Received: header. */
    if (*in == CONTENT && p->at_content_start && data.n > 0 && (data.p[0] == ' ' || data.p[0] == '\t') &&
        !put(p, RECORD_TEXT, S("")))
        return TROUBLE;
    if (*in == CONTENT)
        p->at_content_start = false;
    return put(p, type, data) ? COPIED : TROUBLE;
}

static enum copied copy_records(struct pickup *p)
{
    enum segment in = ENVELOPE;
    int64_t offset;
    slice data;
    int type;

    while (in != OVER) {
        enum record_got got = queue_reader_next(p->reader, &type, &data, &offset, &p->err);
        enum copied result;

        if (got == RECORD_BAD && p->err.kind == ERR_SYS)
            return TROUBLE; /* the disk may do better next time */
        if (got == RECORD_BAD)
            event_warning("%s", p->err.text);
        if (got != RECORD_READ) {
            event_warning("uid=%u: unexpected or malformed record type %d", (unsigned)p->st->st_uid, got == RECORD_EOF ? -1 : -2);
            return BAD_RECORD;
        }
        if (in == ENVELOPE && !p->sent_time && type != RECORD_TIME && type != RECORD_SIZE) {
            event_warning("uid=%u: unexpected or malformed record type %d", (unsigned)p->st->st_uid, type);
            return BAD_RECORD;
        }
        result = copy_record(p, &in, type, data);
        if (result == BAD_RECORD)
            event_warning("uid=%u: unexpected or malformed record type %d", (unsigned)p->st->st_uid, type);
        if (result != COPIED)
            return result;
    }
    return COPIED;
}

/* ---- the whole ---- */

static enum message_fate conclude(struct pickup *p)
{
    slice reason = S("");
    int64_t status;

    if (!submit_finish(&p->to, &p->arena, p->by, &status, &reason, &p->err)) {
        event_warning("%s: error writing %s: %s", p->path, p->to.queue_id, p->err.text);
        return MESSAGE_LATER;
    }
    if (status == CLEANUP_OK)
        return MESSAGE_DONE;
    if (reason.n == 0) {
        reason = slice_text(cleanup_reply_of(status).text);
        (void)cut_prefix(&reason, S("Error: "));
    }
    event_warning("%s: error writing %s: %.*s", p->path, p->to.queue_id, S_ARG(reason));
    /* What is wrong with the message itself cleanup has returned to the sender, or had nobody to return it to. */
    return (status & (CLEANUP_SIZE | CLEANUP_CONTENT | CLEANUP_HOPS | CLEANUP_NO_RECIPIENTS | CLEANUP_POLICY)) != 0
               ? MESSAGE_BAD
               : MESSAGE_LATER;
}

static enum message_fate transfer(struct pickup *p)
{
    int64_t flags = p->is_requeued ? CLEANUP_FROM_PICKUP & ~CLEANUP_MILTER : CLEANUP_FROM_PICKUP;
    unsigned overrides = 0;
    slice unknown;

    if (cleanup_overrides_parse(slice_text(p->params->receive_override_options), &overrides, &unknown))
        flags = cleanup_overridden(flags, overrides);
    if (!submit_begin(&p->to, flags, p->by, &p->err)) {
        event_warning("%s: %s", p->path, p->err.text);
        return MESSAGE_LATER;
    }
    switch (copy_records(p)) {
    case COPIED:
        return conclude(p);
    case NO_SENDER:
        event_warning("%s: uid=%u: no envelope sender", p->to.queue_id, (unsigned)p->st->st_uid);
        break;
    case BAD_RECORD:
        break;
    case TROUBLE:
        event_warning("%s: error writing %s: %s", p->path, p->to.queue_id, p->err.text);
        submit_cancel(&p->to);
        return MESSAGE_LATER;
    }
    submit_cancel(&p->to);
    return MESSAGE_BAD;
}

enum message_fate message_deliver(const struct params *params, int fd, const struct stat *st, slice id, const char *path,
                                  bool is_requeued)
{
    struct pickup p = {
        .params = params,
        .st = st,
        .path = path,
        .id = id,
        .is_requeued = is_requeued,
        .fd = fd,
        .arena = ARENA_INIT(MEMORY),
        .by = deadline_in(params->ipc_timeout_us),
    };
    enum message_fate fate;

    p.reader = queue_reader_open(fd, path, (size_t)params->line_length_limit);
    queue_reader_follow(p.reader, is_requeued); /* a user's file has no business jumping about */
    fate = transfer(&p);
    queue_reader_close(p.reader);
    arena_done(&p.arena);
    return fate;
}
