#include "mail/agent/report.h"

#include "mail/proto/flush.h"
#include "mail/proto/verify.h"
#include "mail/service/connect.h"
#include "mail/service/service.h"

enum { ANSWER_BYTES = 4096 };

/* One question, one number as the answer.  All these answers have the one attribute "status". */
static bool ask(const char *service_class, const char *service, const char *protocol, const struct ipc_shape *shape,
                const void *message, int64_t *status, deadline by, struct err *err)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(ANSWER_BYTES);
    AUTO_STREAM struct stream *s = service_connect(service_class, service, protocol, by, err);
    struct status_answer answer;

    if (s == NULL || !ipc_write(s, shape, message, by, err) || !stream_flush(s, by, err) ||
        !service_read_answer(IPC_ATTR0, s, &status_answer_shape, &arena, by, &answer, err))
        return false;
    *status = answer.status;
    return true;
}

static bool demand(const char *service, const char *protocol, const struct ipc_shape *shape, const void *message,
                   deadline by, struct err *err)
{
    int64_t status;

    if (!ask("private", service, protocol, shape, message, &status, by, err))
        return false;
    return status == 0 || err_set(err, ERR_REFUSED, "%s service failure: status %lld", service, (long long)status);
}

static slice action_of(const struct outcome *o)
{
    static const slice words[] = {
        [OUTCOME_DELIVERED] = S_INIT("delivered"),
        [OUTCOME_DEFERRED] = S_INIT("delayed"),
        [OUTCOME_BOUNCED] = S_INIT("failed"),
    };

    return o->action.n > 0 ? o->action : words[o->kind];
}

bool report_append(const char *service, int64_t flags, slice queue_id, const struct recipient *r,
                   const struct outcome *o, deadline by, struct err *err)
{
    char dsn[DSN_CODE_TEXT];

    dsn_code_print(o->dsn, dsn);
    const struct status_append message = {
        .nrequest = STATUS_APPEND,
        .flags = flags,
        .queue_id = queue_id,
        .original_recipient = r->original,
        .recipient = r->address,
        .offset = r->offset,
        .dsn_orig_rcpt = r->dsn_orig_rcpt,
        .notify_flags = r->notify,
        .status = slice_text(dsn),
        .diag_type = o->diag_type,
        .diag_text = o->diag_text,
        .mta_type = o->mta_type,
        .mta_mname = o->mta_name,
        .action = action_of(o),
        .reason = o->reason,
    };
    return demand(service, STATUS_PROTOCOL, &status_append_shape, &message, by, err);
}

bool report_flush(const char *service, const struct status_verp *f, deadline by, struct err *err)
{
    if (f->nrequest == STATUS_VERP)
        return demand(service, STATUS_PROTOCOL, &status_verp_shape, f, by, err);

    const struct status_flush message = {
        .nrequest = f->nrequest,
        .flags = f->flags,
        .queue_name = f->queue_name,
        .queue_id = f->queue_id,
        .encoding = f->encoding,
        .smtputf8 = f->smtputf8,
        .sender = f->sender,
        .envelope_id = f->envelope_id,
        .ret_flags = f->ret_flags,
    };
    return demand(service, STATUS_PROTOCOL, &status_flush_shape, &message, by, err);
}

bool report_one(const struct status_flush *f, const struct recipient *r, const struct outcome *o, deadline by,
                struct err *err)
{
    char dsn[DSN_CODE_TEXT];

    dsn_code_print(o->dsn, dsn);
    const struct status_one message = {
        .nrequest = STATUS_ONE,
        .queue_name = f->queue_name,
        .queue_id = f->queue_id,
        .encoding = f->encoding,
        .smtputf8 = f->smtputf8,
        .sender = f->sender,
        .envelope_id = f->envelope_id,
        .ret_flags = f->ret_flags,
        .original_recipient = r->original,
        .recipient = r->address,
        .offset = r->offset,
        .dsn_orig_rcpt = r->dsn_orig_rcpt,
        .notify_flags = r->notify,
        .status = slice_text(dsn),
        .diag_type = o->diag_type,
        .diag_text = o->diag_text,
        .mta_type = o->mta_type,
        .mta_mname = o->mta_name,
        .action = action_of(o),
        .reason = o->reason,
    };
    return demand(BOUNCE_SERVICE, STATUS_PROTOCOL, &status_one_shape, &message, by, err);
}

static bool report_verify(slice address, enum outcome_kind kind, slice reason, deadline by, struct err *err)
{
    static const int status[] = {
        [OUTCOME_DELIVERED] = VERIFY_OK, [OUTCOME_DEFERRED] = VERIFY_DEFER, [OUTCOME_BOUNCED] = VERIFY_BOUNCE};
    const struct verify_update message = {
        .request = S("update"), .address = address, .recipient_status = status[kind], .reason = reason};

    return demand(service_params()->address_verify_service_name, VERIFY_PROTOCOL, &verify_update_shape, &message, by, err);
}

bool report_probe(const struct recipient *r, const struct outcome *o, deadline by, slice *word, struct err *err)
{
    bool is_good = o->kind == OUTCOME_DELIVERED;

    *word = is_good ? S("deliverable") : S("undeliverable-but-not-cached");
    if (!is_good && !service_params()->address_verify_negative_cache)
        return true;
    if (r->original.n > 0 && !slice_eq(r->original, r->address) && !report_verify(r->original, o->kind, o->reason, by, err))
        return false;
    if (!report_verify(r->address, o->kind, o->reason, by, err))
        return false;
    *word = is_good ? S("deliverable") : S("undeliverable");
    return true;
}

bool report_flush_add(slice site, slice queue_id, deadline by, struct err *err)
{
    const struct flush_add message = {.request = S("add"), .site = site, .queue_id = queue_id};
    int64_t status;

    if (!ask("public", FLUSH_SERVICE, FLUSH_PROTOCOL, &flush_add_shape, &message, &status, by, err))
        return false;
    return status == FLUSH_OK || status == FLUSH_DENIED ||
           err_set(err, ERR_REFUSED, "%s service failure: status %lld", FLUSH_SERVICE, (long long)status);
}
