#include "route/qmgr/settings.h"

#include "mail/events/events.h"

static int number(struct params *p, const struct transport *t, const char *suffix, const char *default_name, int otherwise)
{
    struct err err;
    int value;

    if (params_transport_int(p, slice_text(t->name), suffix, default_name, &value, &err) && value >= 0)
        return value;
    event_warning("%s%s: not a usable number", t->name, suffix);
    return otherwise;
}

static int64_t duration(struct params *p, const struct transport *t, const char *suffix, const char *default_name)
{
    struct err err;
    int64_t value;

    if (params_transport_time(p, slice_text(t->name), suffix, default_name, &value, &err) && value >= 0)
        return value;
    event_warning("%s%s: not a usable time", t->name, suffix);
    return 0;
}

static struct feedback feedback(struct params *p, const struct transport *t, const char *suffix, const char *default_name)
{
    const char *text = params_transport_text(p, slice_text(t->name), suffix, default_name);
    struct feedback f = {FEEDBACK_FIXED, 1};

    if (text == NULL || !feedback_parse(slice_text(text), &f))
        event_warning("%s%s: bad feedback value: %s", t->name, suffix, text == NULL ? "" : text);
    return f;
}

void settings_configure(void *params, struct transport *t)
{
    struct params *p = params;
    struct window_rules *w = &t->rules.window;

    t->rules.recipient_limit = number(p, t, "_destination_recipient_limit", "default_destination_recipient_limit", 50);
    w->initial = number(p, t, "_initial_destination_concurrency", "initial_destination_concurrency", 5);
    w->limit = number(p, t, "_destination_concurrency_limit", "default_destination_concurrency_limit", 20);
    w->failed_cohort_limit = number(p, t, "_destination_concurrency_failed_cohort_limit",
                                    "default_destination_concurrency_failed_cohort_limit", 1);
    w->positive = feedback(p, t, "_destination_concurrency_positive_feedback",
                           "default_destination_concurrency_positive_feedback");
    w->negative = feedback(p, t, "_destination_concurrency_negative_feedback",
                           "default_destination_concurrency_negative_feedback");
    t->rules.rate_delay_us = duration(p, t, "_destination_rate_delay", "default_destination_rate_delay");
    t->rules.transport_rate_delay_us = duration(p, t, "_transport_rate_delay", "default_transport_rate_delay");
    t->rules.slot_cost = number(p, t, "_delivery_slot_cost", "default_delivery_slot_cost", 5);
    t->rules.slot_loan = number(p, t, "_delivery_slot_loan", "default_delivery_slot_loan", 3);
    t->rules.slot_discount_percent = number(p, t, "_delivery_slot_discount", "default_delivery_slot_discount", 50);
    t->rules.minimum_slots = number(p, t, "_minimum_delivery_slots", "default_minimum_delivery_slots", 3);
    t->rules.dead_us = p->transport_retry_time_us;
    t->rules.destination_dead_us = p->minimal_backoff_time_us;
}

bool settings_check(struct params *p, struct err *err)
{
    static const char *const names[] = {
        "default_destination_concurrency_positive_feedback",
        "default_destination_concurrency_negative_feedback",
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *text = params_get(p, slice_text(names[i]));
        struct feedback f;

        if (text != NULL && !feedback_parse(slice_text(text), &f))
            return err_set(err, ERR_CONFIG, "%s: bad feedback value: %s", names[i], text);
    }
    return true;
}
