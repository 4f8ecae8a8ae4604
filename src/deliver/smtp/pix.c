#include "deliver/smtp/pix.h"

#include "core/base/cut.h"
#include "mail/events/events.h"

/* "220 **2******0*200**": all but blanks, 2 and 0 has been made stars. */
static bool is_starred(slice greeting)
{
    for (size_t i = 0; i < greeting.n; i++)
        if (strchr("20 *\t\n", greeting.p[i]) == NULL)
            return false;
    return true;
}

static unsigned workarounds(slice list)
{
    unsigned found = 0;

    if (is_listed(list, S("disable_esmtp")))
        found |= PIX_DISABLE_ESMTP;
    if (is_listed(list, S("delay_dotcrlf")))
        found |= PIX_DELAY_DOTCRLF;
    return found;
}

void pix_notice(struct connection *c, slice greeting, const struct errand *errand)
{
    const struct settings *s = c->settings;
    AUTO_BUF struct buf value = BUF_INIT(4096);
    slice list = slice_text(s->pix_workarounds);
    struct err unused;

    if (!is_starred(greeting))
        return;
    if (client_map_get(s, MAP_PIX, slice_text(c->address), &value, &unused) == TABLE_FOUND)
        list = buf_slice(&value);
    if (list.n == 0)
        return;
    c->pix = workarounds(list);
    if (errand->age_us < s->pix_workaround_threshold_time_us)
        c->pix &= ~(unsigned)PIX_DELAY_DOTCRLF;
    event_info("%.*s: enabling PIX workarounds: %s%s%s for %s", S_ARG(errand->queue_id),
               (c->pix & PIX_DISABLE_ESMTP) != 0 ? "disable_esmtp" : "",
               c->pix == (PIX_DISABLE_ESMTP | PIX_DELAY_DOTCRLF) ? " " : "",
               (c->pix & PIX_DELAY_DOTCRLF) != 0 ? "delay_dotcrlf" : "", c->relay);
}
