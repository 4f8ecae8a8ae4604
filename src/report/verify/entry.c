#include "report/verify/entry.h"

#include "core/base/cut.h"
#include "core/base/clock.h"

enum { PROBE_LASTS_S = 1000 };

struct entry_limits entry_limits_from(const struct params *p)
{
    return (struct entry_limits){
        .positive_expire = p->address_verify_positive_expire_time_us / SECONDS(1),
        .positive_refresh = p->address_verify_positive_refresh_time_us / SECONDS(1),
        .negative_expire = p->address_verify_negative_expire_time_us / SECONDS(1),
        .negative_refresh = p->address_verify_negative_refresh_time_us / SECONDS(1),
    };
}

static bool cut_number(slice *text, int64_t *out)
{
    slice word;

    return cut_until(text, ':', &word) && slice_to_i64(word, out) && *out >= 0;
}

bool entry_parse(slice text, struct entry *out)
{
    int64_t status, probed, updated;

    if (!cut_number(&text, &status) || status > VERIFY_TODO || !cut_number(&text, &probed) ||
        !cut_number(&text, &updated))
        return false;
    *out = (struct entry){(int)status, probed, updated, text};
    return true;
}

bool entry_print(const struct entry *e, struct buf *out)
{
    return buf_addf(out, "%d:%lld:%lld:", e->status, (long long)e->probed, (long long)e->updated) &&
           buf_add(out, e->reason);
}

struct entry entry_unknown(void)
{
    return (struct entry){.status = VERIFY_TODO, .reason = S("Address verification in progress")};
}

static bool is_probed(const struct entry *e, int64_t now)
{
    return e->probed != 0 && now - e->probed <= PROBE_LASTS_S;
}

bool entry_counts(const struct entry *e, const struct entry_limits *l, int64_t now)
{
    return is_probed(e, now) || now - e->updated <= (e->status == VERIFY_OK ? l->positive_expire : l->negative_expire);
}

bool entry_wants_probe(const struct entry *e, const struct entry_limits *l, int64_t now)
{
    if (is_probed(e, now))
        return false;
    return e->status == VERIFY_TODO ||
           now - e->updated > (e->status == VERIFY_OK ? l->positive_refresh : l->negative_refresh);
}
