#include "mail/policy/verified.h"

#include "core/run/task.h"
#include "mail/policy/policy_inner.h"
#include "mail/proto/verify.h"
#include "mail/service/connect.h"

/* How the address is refused, from the parameters of its kind. */
struct verified {
    struct walk_subject subject;
    int detail; /* RFC 3463: x.1.1 for a recipient, x.1.7 for a sender */
    int reject_code, defer_code;
    const char *fixed_reason, *action;
};

static bool query(const struct walk *w, slice address, struct verify_answer *out, struct err *err)
{
    const struct verify_query ask = {S("query"), address};

    return link_call(w->policy->verify, &verify_query_shape, &ask, &verify_answer_shape, out, w->question->arena,
                     w->question->by, err);
}

/* VERIFY_TODO after the last question: nobody can tell in time. */
static bool find_out(struct walk *w, slice address, struct verify_answer *out, struct err *err)
{
    const int count = w->params->address_verify_poll_count;

    for (int i = 1;; i++) {
        if (!query(w, address, out, err))
            return false;
        if (out->status != 0)
            return err_set(err, ERR_REFUSED, "%s service failure", w->params->address_verify_service_name);
        if (out->recipient_status != VERIFY_TODO || i >= count)
            return true;
        if (!task_sleep(deadline_in(w->params->address_verify_poll_delay_us), err))
            return false;
    }
}

static slice full_text(const struct walk *w, const char *verdict, const struct verified *v, slice reason)
{
    slice told = v->fixed_reason[0] != '\0' ? slice_text(v->fixed_reason) : reason;

    return arena_format(w->question->arena, S("unverified address"), "%s: %.*s", verdict, S_ARG(told));
}

/* It may turn out later that the mail is refused for good, or not wanted anyway. */
static enum walk_result put_off(struct walk *w, const struct verified *v, int code, slice text)
{
    return walk_uncertain(w, v->action, code, (struct dsn_code){4, 1, v->detail}, "<%.*s>: %s rejected: %.*s",
                          S_ARG(v->subject.about), v->subject.what, S_ARG(text));
}

/* CODE 2xx takes the address all the same; 5xx is for good, since it is known to be so. */
static enum walk_result undeliverable(struct walk *w, const struct verified *v, int code, slice reason)
{
    if (code / 100 == 2)
        return WALK_ON;
    if (code / 100 == 5)
        return walk_reject(w, code, (struct dsn_code){5, 1, v->detail}, v->subject,
                           full_text(w, "undeliverable address", v, reason));
    return put_off(w, v, code, full_text(w, "unverified address", v, reason));
}

static enum walk_result verified(struct walk *w, const struct verified *v)
{
    struct verify_answer answer;
    struct err err;

    if (!find_out(w, v->subject.about, &answer, &err)) {
        walk_warn(w, "%s", err.text);
        return put_off(w, v, 450, S("address verification problem"));
    }
    switch (answer.recipient_status) {
    case VERIFY_OK:
        return WALK_ON;
    case VERIFY_DEFER:
    case VERIFY_TODO:
        return v->defer_code / 100 == 2
                   ? WALK_ON
                   : put_off(w, v, v->defer_code, full_text(w, "unverified address", v, answer.reason));
    case VERIFY_BOUNCE:
        return undeliverable(w, v, v->reject_code, answer.reason);
    default:
        walk_warn(w, "unknown address verification status %lld", (long long)answer.recipient_status);
        return WALK_ON;
    }
}

enum walk_result verified_recipient(struct walk *w)
{
    const struct params *p = w->params;
    const struct verified v = {
        .subject = walk_recipient(w),
        .detail = 1,
        .reject_code = p->unverified_recipient_reject_code,
        .defer_code = p->unverified_recipient_defer_code,
        .fixed_reason = p->unverified_recipient_reject_reason,
        .action = p->unverified_recipient_tempfail_action,
    };

    return v.subject.about.p == NULL ? WALK_ON : verified(w, &v);
}

enum walk_result verified_sender(struct walk *w)
{
    const struct params *p = w->params;
    const struct verified v = {
        .subject = walk_sender(w),
        .detail = 7,
        .reject_code = p->unverified_sender_reject_code,
        .defer_code = p->unverified_sender_defer_code,
        .fixed_reason = p->unverified_sender_reject_reason,
        .action = p->unverified_sender_tempfail_action,
    };

    return v.subject.about.n == 0 ? WALK_ON : verified(w, &v);
}
