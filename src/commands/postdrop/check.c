#include "commands/postdrop/check.h"

#include <string.h>

#include "core/base/attributes.h"
#include "mail/queue/record.h"

static bool may_stand(enum submission_segment in, int type)
{
    static const char *const types[] = {"MFSRVAinT", "XLN", "EAR"};

    return in != SUBMISSION_OVER && type > 0 && strchr(types[in], type) != NULL;
}

static bool is_one_of(slice value, const char *const values[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(value, slice_text(values[i])))
            return true;
    return false;
}

static bool attribute_is_allowed(slice data)
{
    static const char *const traces[] = {"512", "1024"}, *const encodings[] = {"7bit", "8bit", ""},
                             *const contexts[] = {"local", "remote"},
                             *const free_names[] = {"envelope_id", "notify_flags", "ret_flags", "dsn_orig_rcpt", "create_time"};
    slice name, value;

    if (!attribute_parse(data, &name, &value))
        return false;
    if (slice_eq(name, S("trace_flags")))
        return is_one_of(value, traces, COUNT_OF(traces));
    if (slice_eq(name, S("encoding")))
        return is_one_of(value, encodings, COUNT_OF(encodings));
    if (slice_eq(name, S("rewrite_context")))
        return is_one_of(value, contexts, COUNT_OF(contexts));
    return is_one_of(name, free_names, COUNT_OF(free_names));
}

enum submission_verdict submission_check(struct submission_check *c, int type, slice data)
{
    if (!may_stand(c->in, type))
        return SUBMISSION_BAD_TYPE;
    if (type != RECORD_TEXT && type != RECORD_LONG_TEXT &&
        (slice_has_nul(data) || slice_find(data, '\n') != SLICE_NONE || slice_find(data, '\r') != SLICE_NONE))
        return SUBMISSION_LINE_BREAK;
    switch (type) {
    case RECORD_TIME:
        return SUBMISSION_SKIP;
    case RECORD_SENDER:
        c->has_sender = true;
        break;
    case RECORD_RECIPIENT:
        c->has_recipient = true;
        break;
    case RECORD_ATTRIBUTE:
        return attribute_is_allowed(data) ? SUBMISSION_KEEP : SUBMISSION_DROP;
    case RECORD_CONTENT:
        c->in = SUBMISSION_CONTENT;
        break;
    case RECORD_EXTRACTED:
        c->in = SUBMISSION_EXTRACTED;
        break;
    case RECORD_END:
        c->in = SUBMISSION_OVER;
        break;
    default:
        break;
    }
    return SUBMISSION_KEEP;
}
