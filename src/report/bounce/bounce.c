/* report/bounce/bounce.c - bounce(8), defer(8) and trace(8): logs of recipients' fates, and the reports made from them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/ipc/message.h"
#include "core/run/pool.h"
#include "mail/events/events.h"
#include "mail/queue/dir.h"
#include "mail/service/service.h"
#include "report/bounce/report.h"

static struct desk desk;

static deadline exchange_deadline(void)
{
    return deadline_in(desk.params->ipc_timeout_us);
}

/* ---- appending ---- */

struct append_job {
    slice queue_id;
    struct bounce_entry entry;
    bool compatible, done;
    struct err err;
};

/* Runs on a helper thread. */
static void append_blocking(void *arg)
{
    struct append_job *j = arg;

    j->done = bounce_log_append(&desk.layout, slice_text(desk.service), j->queue_id, &j->entry, j->compatible, &j->err);
}

static struct recipient recipient_of(const struct status_append_rest *a)
{
    return (struct recipient){.original = a->original_recipient,
                              .address = a->recipient,
                              .dsn_orig_rcpt = a->dsn_orig_rcpt,
                              .notify = (int)a->notify_flags,
                              .offset = a->offset};
}

static bool outcome_of(slice status, slice action, struct outcome *o, struct err *err)
{
    if (!dsn_code_parse(status, &o->dsn))
        return err_set(err, ERR_PEER, "malformed delivery status: %.*s", S_ARG(slice_head(status, 40)));
    o->kind = outcome_kind_of(o->dsn);
    o->action = action;
    return true;
}

static bool append(struct stream *s, struct arena *arena, struct err *err)
{
    struct append_job job = {.compatible = desk.params->backwards_bounce_logfile_compatibility};
    struct status_append_rest ask;

    if (!ipc_read_rest(s, &status_append_rest_shape, arena, exchange_deadline(), &ask, err))
        return false;
    if (!queue_id_valid(ask.queue_id))
        return err_set(err, ERR_PEER, "malformed queue id");
    job.queue_id = ask.queue_id;
    job.entry.recipient = recipient_of(&ask);
    job.entry.outcome = (struct outcome){.reason = ask.reason,
                                         .diag_type = ask.diag_type,
                                         .diag_text = ask.diag_text,
                                         .mta_type = ask.mta_type,
                                         .mta_name = ask.mta_mname};
    if (!outcome_of(ask.status, ask.action, &job.entry.outcome, err))
        return false;
    pool_run(append_blocking, &job);
    if (!job.done)
        *err = job.err;
    return job.done;
}

/* ---- reporting ---- */

static void unlink_blocking(void *arg)
{
    const char *path = arg;

    if (unlink(path) != 0 && errno != ENOENT)
        event_warning("remove %s: %s", path, strerror(errno));
}

static void remove_log(slice queue_id)
{
    char path[QUEUE_PATH_MOST];

    if (queue_path(&desk.layout, slice_text(desk.service), queue_id, path))
        unlink_blocking(path);
}

/* The recipients have been told of: they are done. */
static void mark_recipients(const struct report *r)
{
    struct err err;

    for (size_t i = 0; i < r->count && r->fd >= 0; i++) {
        int64_t offset = r->entries[i].recipient.offset;

        if (offset > 0 && !queue_mark(r->fd, offset, 'R', 'D', &err) && err.kind != ERR_CORRUPT)
            event_warning("%s: %s", r->path, err.text);
    }
}

static struct report report_for(const struct status_flush_rest *f, enum template_kind kind, struct arena *arena)
{
    return (struct report){
        .desk = &desk, .kind = kind, .queue_name = f->queue_name, .queue_id = f->queue_id, .encoding = f->encoding,
        .sender = f->sender, .envelope_id = f->envelope_id, .smtputf8 = f->smtputf8, .ret_flags = f->ret_flags,
        .arena = arena, .fd = -1,
    };
}

/* Posts what the log says.  DELIMITERS: of VERP, or empty. */
static bool post_log(struct report *r, int64_t flags, slice delimiters, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(LOG_MOST_BYTES);
    deadline by = exchange_deadline();
    bool posted;

    if (!report_read_log(r, &text, err)) {
        /* A delay or trace may have nothing to tell; a non-delivery without reasons may not get lost. */
        return err->kind == ERR_NOT_FOUND && r->kind != TEMPLATE_FAILURE;
    }
    if (!report_open(r, err))
        return false;
    posted = delimiters.n > 0 ? report_post_verp(r, delimiters, by, err) : report_post(r, by, err);
    if (posted && (flags & STATUS_DELETE_RECIPIENTS) != 0)
        mark_recipients(r);
    report_close(r);
    if (r->kind != TEMPLATE_DELAY && (posted || (flags & STATUS_CLEAN) != 0))
        remove_log(r->queue_id);
    return posted;
}

static bool check_names(const struct status_flush_rest *f, struct err *err)
{
    return queue_id_valid(f->queue_id) || err_set(err, ERR_PEER, "malformed queue id");
}

static bool flush(struct stream *s, enum template_kind kind, struct arena *arena, struct err *err)
{
    struct status_flush_rest ask;
    struct report r;

    if (!ipc_read_rest(s, &status_flush_rest_shape, arena, exchange_deadline(), &ask, err) || !check_names(&ask, err))
        return false;
    if (kind == TEMPLATE_SUCCESS && (ask.flags & (DELIVERY_USER_PROBE | DELIVERY_RECORD)) != 0)
        kind = TEMPLATE_VERIFY;
    r = report_for(&ask, kind, arena);
    return post_log(&r, ask.flags & (STATUS_CLEAN | STATUS_DELETE_RECIPIENTS), (slice){0}, err);
}

static bool flush_verp(struct stream *s, struct arena *arena, struct err *err)
{
    struct status_verp_rest ask;
    struct status_flush_rest same;
    struct report r;

    if (!ipc_read_rest(s, &status_verp_rest_shape, arena, exchange_deadline(), &ask, err))
        return false;
    same = (struct status_flush_rest){ask.flags,    ask.queue_name, ask.queue_id,    ask.encoding,
                                      ask.smtputf8, ask.sender,     ask.envelope_id, ask.ret_flags};
    if (!check_names(&same, err))
        return false;
    r = report_for(&same, TEMPLATE_FAILURE, arena);
    return post_log(&r, ask.flags, ask.verp_delimiters, err);
}

static bool report_one(struct stream *s, struct arena *arena, struct err *err)
{
    struct status_one_rest ask;
    struct status_flush_rest same;
    struct bounce_entry entry;
    struct report r;
    bool posted;

    if (!ipc_read_rest(s, &status_one_rest_shape, arena, exchange_deadline(), &ask, err))
        return false;
    same = (struct status_flush_rest){ask.flags,    ask.queue_name, ask.queue_id,    ask.encoding,
                                      ask.smtputf8, ask.sender,     ask.envelope_id, ask.ret_flags};
    entry = (struct bounce_entry){
        .recipient = {.original = ask.original_recipient, .address = ask.recipient, .dsn_orig_rcpt = ask.dsn_orig_rcpt,
                      .notify = (int)ask.notify_flags, .offset = ask.offset},
        .outcome = {.reason = ask.reason, .diag_type = ask.diag_type, .diag_text = ask.diag_text,
                    .mta_type = ask.mta_type, .mta_name = ask.mta_mname},
    };
    if (!check_names(&same, err) || !outcome_of(ask.status, ask.action, &entry.outcome, err))
        return false;
    r = report_for(&same, TEMPLATE_FAILURE, arena);
    report_add(&r, &entry);
    if (!report_open(&r, err))
        return false;
    posted = report_post(&r, exchange_deadline(), err);
    report_close(&r);
    return posted;
}

/* ---- requests ---- */

static bool serve(struct stream *s, int64_t request, struct arena *arena, struct err *err)
{
    switch (request) {
    case STATUS_APPEND:
        return append(s, arena, err);
    case STATUS_FLUSH:
        return flush(s, TEMPLATE_FAILURE, arena, err);
    case STATUS_WARN:
        return flush(s, TEMPLATE_DELAY, arena, err);
    case STATUS_VERP:
        return flush_verp(s, arena, err);
    case STATUS_ONE:
        return report_one(s, arena, err);
    case STATUS_TRACE:
        return flush(s, TEMPLATE_SUCCESS, arena, err);
    default:
        return err_set(err, ERR_PEER, "unknown request: %lld", (long long)request);
    }
}

static void client(struct stream *s)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(REPORT_MEMORY_BYTES);
    struct status_answer answer = {0};
    int64_t request;
    struct err err;
    slice value;

    if (!ipc_hello(s, STATUS_PROTOCOL, exchange_deadline(), &err) || !stream_flush(s, exchange_deadline(), &err) ||
        ipc_read_first(s, "nrequest", &arena, exchange_deadline(), &value, &err) != IPC_MESSAGE_READ)
        return;
    if (!slice_to_i64(value, &request))
        request = -1;
    if (!serve(s, request, &arena, &err)) {
        event_warning("%s", err.text);
        answer.status = -1;
    }
    if (!ipc_write(s, &status_answer_shape, &answer, exchange_deadline(), &err) ||
        !stream_flush(s, exchange_deadline(), &err))
        event_warning("%s", err.text);
}

/* As postconf -t and -b start it. */
static NORETURN void show_templates(bool expanded)
{
    exit(templates_show(&desk.templates, desk.params, expanded) ? 0 : 1);
}

static void take_templates(const char *file, bool needed)
{
    AUTO_BUF struct buf warnings = BUF_INIT(65536);
    struct err err;

    if (!file_read_path(file, &desk.template_text, &err)) {
        if (needed)
            event_fatal("%s", err.text);
        event_warning("%s: %s -- using built-in templates", file, err.text);
    }
    templates_parse(buf_slice(&desk.template_text), file, &desk.templates, &warnings);
    event_warning_lines(buf_slice(&warnings));
}

static bool pre_start(struct service_run *run, struct err *err)
{
    const char *file = run->params->bounce_template_file;
    bool whole = run->standalone && strcmp(run->name, "dump_templates") == 0;
    bool expanded = run->standalone && strcmp(run->name, "expand_templates") == 0;

    (void)err;
    desk.params = run->params;
    desk.service = run->name;
    desk.layout = (struct queue_layout){slice_text(run->params->hash_queue_names), run->params->hash_queue_depth};
    templates_init(&desk.templates);
    buf_init(&desk.template_text, 1 << 20);
    if (file[0] != '\0')
        take_templates(file, whole || expanded);
    if (whole || expanded)
        show_templates(expanded);
    return true;
}

int main(int argc, char **argv)
{
    static const struct service service = {
        .name = "bounce",
        .instances = SERVICE_UNLIMITED,
        .needs = {.may = SANDBOX_SERVICES, .updates = "incoming active deferred hold", .writes = "bounce defer trace"},
        .pre_start = pre_start,
        .client = client,
    };

    return service_main(&service, argc, argv);
}
