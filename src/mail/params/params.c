#include "mail/params/params.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "mail/params/param_def.h"

enum { VALUE_MAX_BYTES = 1 << 20 };

const char *param_name(size_t index)
{
    return param_texts + param_rows[index].name;
}

const char *param_default_text(size_t index)
{
    return param_texts + param_rows[index].default_text;
}

size_t param_find(slice name)
{
    size_t low = 0, top = param_row_count;

    while (low < top) {
        size_t middle = (low + top) / 2;
        int order = slice_cmp(name, slice_text(param_name(middle)));

        if (order == 0)
            return middle;
        if (order < 0)
            top = middle;
        else
            low = middle + 1;
    }
    return SLICE_NONE;
}

bool param_is_ineffective(slice name)
{
    size_t index = param_find(name);

    return index != SLICE_NONE && param_rows[index].ineffective;
}

const char *params_keep(struct params *p, slice name, slice text)
{
    char *copy = xstrndup(text.n == 0 ? "" : text.p, text.n);

    free(map_set(p->texts, name, copy));
    return copy;
}

/* What every transport of master.cf has, by the end of the name. */
static const struct {
    slice suffix;
    const char *text;
} transport_defaults[] = {
    {S_INIT("_delivery_slot_cost"), "$default_delivery_slot_cost"},
    {S_INIT("_delivery_slot_discount"), "$default_delivery_slot_discount"},
    {S_INIT("_delivery_slot_loan"), "$default_delivery_slot_loan"},
    {S_INIT("_destination_concurrency_failed_cohort_limit"), "$default_destination_concurrency_failed_cohort_limit"},
    {S_INIT("_destination_concurrency_limit"), "$default_destination_concurrency_limit"},
    {S_INIT("_destination_concurrency_negative_feedback"), "$default_destination_concurrency_negative_feedback"},
    {S_INIT("_destination_concurrency_positive_feedback"), "$default_destination_concurrency_positive_feedback"},
    {S_INIT("_destination_rate_delay"), "$default_destination_rate_delay"},
    {S_INIT("_destination_recipient_limit"), "$default_destination_recipient_limit"},
    {S_INIT("_extra_recipient_limit"), "$default_extra_recipient_limit"},
    {S_INIT("_initial_destination_concurrency"), "$initial_destination_concurrency"},
    {S_INIT("_minimum_delivery_slots"), "$default_minimum_delivery_slots"},
    {S_INIT("_recipient_refill_delay"), "$default_recipient_refill_delay"},
    {S_INIT("_recipient_refill_limit"), "$default_recipient_refill_limit"},
    {S_INIT("_recipient_limit"), "$default_recipient_limit"},
    {S_INIT("_transport_rate_delay"), "$default_transport_rate_delay"},
    {S_INIT("_time_limit"), "$command_time_limit"},
};

const char *param_transport_suffix(size_t index)
{
    return index < COUNT_OF(transport_defaults) ? transport_defaults[index].suffix.p : NULL;
}

static const char *transport_default(slice name)
{
    if (slice_starts(name, S("default_")))
        return NULL;
    for (size_t i = 0; i < COUNT_OF(transport_defaults); i++)
        if (name.n > transport_defaults[i].suffix.n && slice_ends(name, transport_defaults[i].suffix))
            return transport_defaults[i].text;
    return NULL;
}

const char *params_default(struct params *p, slice name)
{
    size_t index = param_find(name);
    const char *text;

    if (index == SLICE_NONE)
        return transport_default(name);
    text = param_computed(p, name);
    return text != NULL ? text : param_default_text(index);
}

static const char *fallback(void *context, slice name)
{
    return params_default(context, name);
}

static bool expand(struct params *p, const char *name, const char *text, struct buf *out, struct err *err)
{
    return conf_expand(&p->conf, fallback, p, name, slice_text(text), out, err) || err_note(err, "dictionary mail_dict");
}

bool param_is_raw(slice name)
{
    size_t index = param_find(name);

    return index != SLICE_NONE && param_defs[index].raw;
}

bool params_text(struct params *p, slice name, const char **out, struct err *err)
{
    AUTO_BUF struct buf value = BUF_INIT(VALUE_MAX_BYTES);
    const char *text = map_get(p->texts, name);

    if (text != NULL) {
        *out = text;
        return true;
    }
    text = conf_raw(&p->conf, name);
    if (text == NULL)
        text = params_default(p, name);
    if (text != NULL && strchr(text, '$') != NULL && !param_is_raw(name)) {
        AUTO_BUF struct buf key = BUF_INIT(VALUE_MAX_BYTES);

        buf_add(&key, name);
        if (!expand(p, buf_text(&key), text, &value, err))
            return false;
        text = params_keep(p, name, buf_slice(&value));
    }
    *out = text;
    return true;
}

const char *params_get(struct params *p, slice name)
{
    const char *text;
    struct err ignored;

    return params_text(p, name, &text, &ignored) ? text : NULL;
}

bool params_expand(const struct params *p, slice text, struct buf *out, struct err *err)
{
    /* Only remembers computed defaults in it. */
    return conf_expand(&p->conf, fallback, (struct params *)p, "value", text, out, err);
}

/* ---- per-transport values ---- */

static bool transport_text(struct params *p, slice transport, const char *suffix, const char *default_name,
                           struct buf *name, const char **out, struct err *err)
{
    buf_add(name, transport);
    buf_add_text(name, suffix);
    if (!params_text(p, buf_slice(name), out, err))
        return false;
    if (*out != NULL)
        return true;
    buf_clear(name);
    buf_add_text(name, default_name);
    if (!params_text(p, buf_slice(name), out, err))
        return false;
    return *out != NULL || err_set(err, ERR_CONFIG, "unknown parameter: %s", default_name);
}

bool params_transport_int(struct params *p, slice transport, const char *suffix, const char *default_name, int *out,
                          struct err *err)
{
    AUTO_BUF struct buf name = BUF_INIT(VALUE_MAX_BYTES);
    const char *text;
    int64_t number;

    if (!transport_text(p, transport, suffix, default_name, &name, &text, err))
        return false;
    if (!conf_parse_int(slice_text(text), &number) || number < INT32_MIN || number > INT32_MAX)
        return err_set(err, ERR_CONFIG, "bad numerical configuration: %s = %s", buf_text(&name), text);
    *out = (int)number;
    return true;
}

bool params_transport_time(struct params *p, slice transport, const char *suffix, const char *default_name,
                           int64_t *out_us, struct err *err)
{
    AUTO_BUF struct buf name = BUF_INIT(VALUE_MAX_BYTES);
    const char *text;

    if (!transport_text(p, transport, suffix, default_name, &name, &text, err))
        return false;
    if (!conf_parse_time(slice_text(text), 's', out_us))
        return err_set(err, ERR_CONFIG, "parameter %s: bad time value or unit: %s", buf_text(&name), text);
    return true;
}

const char *params_transport_text(struct params *p, slice transport, const char *suffix, const char *default_name)
{
    AUTO_BUF struct buf name = BUF_INIT(VALUE_MAX_BYTES);
    const char *text;
    struct err ignored;

    return transport_text(p, transport, suffix, default_name, &name, &text, &ignored) ? text : NULL;
}

bool compat_level_parse(slice text, int64_t *out)
{
    return conf_parse_level(text, out);
}

void params_free(struct params *p)
{
    if (p == NULL)
        return;
    conf_done(&p->conf);
    map_done(p->texts, free);
    free(p->texts);
    free(p);
}
