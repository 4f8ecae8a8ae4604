#include "route/qmgr/give_up.h"

#include <stdlib.h>

#include "mail/agent/report.h"
#include "mail/events/events.h"
#include "mail/proto/delivery.h"
#include "route/qmgr/entry.h"
#include "route/qmgr/finish.h"
#include "route/qmgr/state.h"

/* Who keeps what became of the recipient: verify or trace for a probe, which is not worth another attempt. */
static bool tell(const struct message *m, const struct recipient *r, const struct outcome *outcome, slice *word,
                 struct err *err)
{
    deadline by = deadline_in(SECONDS(300));
    struct outcome probed = *outcome;

    if (m->is_probe)
        return report_probe(r, outcome, by, word, err);
    if ((m->envelope.trace_flags & DELIVERY_USER_PROBE) == 0)
        return report_append(DEFER_SERVICE, m->envelope.trace_flags, message_id(m), r, outcome, by, err);
    probed.action = *word = S("undeliverable");
    return report_append(TRACE_SERVICE, m->envelope.trace_flags, message_id(m), r, &probed, by, err);
}

static void defer_recipient(const struct message *m, const struct recipient *r, const struct outcome *outcome)
{
    const struct message_times times = {.arrival_us = m->envelope.arrival_us, .active_us = m->active_us};
    slice word = S("");
    struct err err;

    if (!tell(m, r, outcome, &word, &err))
        event_warning("%s: %s", m->id, err.text);
    event_attempt(&(struct event_attempt){.id = message_id(m),
                                          .recipient = r,
                                          .times = &times,
                                          .outcome = outcome,
                                          .status_text = word,
                                          .delay_digits = qmgr.params->delay_logging_resolution_limit});
}

static void defer_run(void *arg)
{
    struct undeliverable *u = arg;
    struct entry *e = u->entry;
    struct batch *b = e->owner;
    slice reason = slice_text(u->reason);
    struct outcome outcome = {.kind = OUTCOME_DEFERRED, .dsn = {4, 3, 0}, .relay = S("none")};

    if (cut_dsn_code(&reason, &outcome.dsn))
        reason = slice_trim(reason);
    outcome.reason = reason;
    for (size_t i = 0; i < e->count; i++)
        defer_recipient(b->message, &e->recipients[i], &outcome);
    if ((b->message->envelope.trace_flags & (DELIVERY_MTA_PROBE | DELIVERY_USER_PROBE)) == 0)
        b->message->deferred = true;
    entry_drop(e);
    free(u->reason);
    free(u);
    finish_entry(b);
}

void give_up_run(void *unused)
{
    struct err err;

    (void)unused;
    for (;;) {
        struct undeliverable *u = LIST_FIRST(&qmgr.undeliverable, struct undeliverable, queue);

        if (u != NULL) {
            list_remove(&u->queue);
            qmgr_spawn("defer", defer_run, u);
        } else if (!waitq_wait(&qmgr.undeliverable_came, NEVER, &err)) {
            return;
        }
    }
}
