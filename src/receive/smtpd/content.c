/* What DATA and BDAT share: before the content, a line of it, and its end. */
#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/proto/cleanup.h"
#include "mail/service/service.h"
#include "receive/smtpd/session.h"

void content_begin_request(struct session *s, struct intake *in)
{
    in->by = session_by(s);
}

deadline content_by(const struct session *s, const struct intake *in)
{
    deadline by = session_by(s);

    return service_params_now()->smtpd_per_request_deadline ? deadline_sooner(in->by, by) : by;
}

void content_came(const struct session *s, struct intake *in, size_t bytes)
{
    int64_t rate = s->world->params->smtpd_min_data_rate;
    deadline more = {in->by.at_us + (int64_t)bytes * SECONDS(1) / (rate > 0 ? rate : 1)};

    if (service_params_now()->smtpd_per_request_deadline)
        in->by = deadline_sooner(more, session_by(s));
}

bool content_begin(struct session *s)
{
    struct err err;

    if (!check_data(s, POLICY_DATA, session_command_word(s->where)))
        return false;
    if (envelope_content(s, &err))
        return true;
    event_warning("%s: %s", s->t.submission.queue_id, err.text);
    transaction_reset(s);
    (void)session_say(s, "451 4.3.0 Error: queue file write error");
    return false;
}

/* The line that separates messages in a mailbox file, as it is or quoted. */
static bool is_mailbox_line(slice text)
{
    while (cut_char(&text, '>'))
        continue;
    return slice_starts(text, S("From "));
}

/* A failure there is cleanup's to report: content is read to its end all the same. */
static bool submit(struct session *s, struct intake *in, slice text, int type)
{
    struct submission *to = &s->t.submission;
    deadline by = task_deadline_in(s->world->params->ipc_timeout_us);
    bool first = in->first;
    struct err err;

    in->first = false;
    if (first && in->mailbox) {
        if (is_mailbox_line(text))
            return submit_recordf(to, by, &err, type, "X-Mailbox-Line: %.*s", S_ARG(text));
        if (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t') && !submit_record(to, RECORD_TEXT, S(""), by, &err))
            return false;
    }
    return submit_record(to, type, text, by, &err);
}

slice content_line(slice line)
{
    while (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

void content_store(struct session *s, struct intake *in, slice text, bool whole)
{
    int64_t most = s->world->params->message_size_limit;

    s->data_bytes += (int64_t)text.n + 2; /* a piece counts as a line: that is how sizes are told in the field */
    s->t.content_bytes = s->data_bytes;
    if (most > 0 && s->data_bytes > most && !in->too_big) {
        in->too_big = true;
        event_warning("%s: queue file size limit exceeded", s->t.submission.queue_id);
    }
    if (!in->too_big && !in->broken && !submit(s, in, text, whole ? RECORD_TEXT : RECORD_LONG_TEXT))
        in->broken = true;
}

void content_store_plain(struct session *s, struct intake *in)
{
    slice text = stream_ahead(s->stream);
    int64_t most = s->world->params->message_size_limit;
    size_t n;

    if (in->first || in->too_big || in->broken)
        return;
    if (most > 0)
        text = slice_head(text, (size_t)(most - s->data_bytes));
    n = submit_plain_lines(&s->t.submission, text, (size_t)s->world->params->line_length_limit);
    stream_skip(s->stream, n);
    content_came(s, in, n);
    s->data_bytes += (int64_t)n; /* with two bytes for the end of each line, as there are */
    s->t.content_bytes = s->data_bytes;
}

static bool conclude(struct session *s, int64_t status, slice reason, const char *note)
{
    struct dsn_code dsn = {5, 7, 1};
    struct cleanup_reply reply;

    s->data_bytes = -1;
    if (status == CLEANUP_OK) {
        s->ok[s->where]++;
        s->errors = s->junk = 0;
        return session_say(s, "250 2.0.0 Ok: %squeued as %s", note, s->t.submission.queue_id);
    }
    reply = cleanup_reply_of(status);
    if ((status & (CLEANUP_CONTENT | CLEANUP_TEMPORARY)) != 0 && reason.n > 0) { /* which begins with a status of its own */
        bool coded = cut_dsn_code(&reason, &dsn);

        return session_say(s, "%d %d.%d.%d %.*s", dsn.class == 4 ? 451 : 550, dsn.class, dsn.subject, dsn.detail,
                           S_ARG(coded ? slice_trim(reason) : reason));
    }
    return session_say(s, "%d %s %s", reply.code, reply.dsn, reply.text);
}

bool content_end(struct session *s, const struct intake *in, const char *note)
{
    deadline by = deadline_in(s->world->params->ipc_timeout_us);
    struct submission *to = &s->t.submission;
    int64_t status = CLEANUP_WRITE;
    slice reason = S("");
    struct err err;

    s->after_message = true;
    if (in->broken)
        to->broken = true;
    if (in->too_big) {
        submit_cancel(to);
        return conclude(s, CLEANUP_SIZE, reason, note);
    }
    if (!check_data(s, POLICY_END_OF_DATA, "END-OF-MESSAGE")) {
        submit_cancel(to);
        s->data_bytes = -1;
        return !s->ended;
    }
    if (!envelope_end(s, &err) || !submit_finish(to, &s->message_arena, by, &status, &reason, &err))
        event_warning("%s: %s", to->queue_id, err.text);
    return conclude(s, status, reason, note);
}

bool content_lost(struct session *s, const struct err *err)
{
    (void)session_read_failed(s, err);
    s->data_bytes = -1;
    s->ended = true;
    return false;
}
