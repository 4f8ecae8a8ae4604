#include "receive/smtpd/session.h"

#include "mail/envelope/verp.h"
#include "mail/events/events.h"
#include "mail/table/table.h"

static bool open_hosts(struct smtpd_world *world, struct err *err)
{
    const struct params *c = world->params;
    const struct {
        struct match_list **to;
        const char *name, *list;
    } rows[] = {
        {&world->xclient_hosts, "smtpd_authorized_xclient_hosts", c->smtpd_authorized_xclient_hosts},
        {&world->verp_clients, "smtpd_authorized_verp_clients", c->smtpd_authorized_verp_clients},
        {&world->xforward_hosts, "smtpd_authorized_xforward_hosts", c->smtpd_authorized_xforward_hosts},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        *rows[i].to = match_list_open(slice_text(rows[i].list), MATCH_HOST, true, err);
        if (*rows[i].to == NULL)
            return err_note(err, "%s", rows[i].name);
    }
    return true;
}

static bool check_verp(const struct params *p, struct err *err)
{
    slice delimiters = slice_text(p->default_verp_delimiters), allowed = slice_text(p->verp_delimiter_filter);
    const char *fault = verp_delimiters_fault(delimiters, allowed);

    return fault == NULL ||
           err_set(err, ERR_CONFIG, "parameters default_verp_delimiters and verp_delimiter_filter: %s", fault);
}

bool world_open(struct smtpd_world *world, struct params *params, struct buf *warnings, struct err *err)
{
    world->params = params;
    world->banner = slice_text(params->smtpd_banner);
    if (!check_verp(params, err))
        return false;
    if (world->standalone)
        return true;
    world->policy = policy_open(params, warnings, err);
    if (world->policy == NULL || !open_hosts(world, err))
        return false;
    world->discard_keywords =
        tables_open(slice_text(params->smtpd_discard_ehlo_keyword_address_maps), TABLE_FOLD, warnings, err);
    if (world->discard_keywords == NULL)
        return err_note(err, "smtpd_discard_ehlo_keyword_address_maps");
    world->command_filter = tables_open(slice_text(params->smtpd_command_filter), 0, warnings, err);
    if (world->command_filter == NULL)
        return err_note(err, "smtpd_command_filter");
    world->footer_maps = tables_open(slice_text(params->smtpd_reject_footer_maps), 0, warnings, err);
    if (world->footer_maps == NULL)
        return err_note(err, "smtpd_reject_footer_maps");
    world->resolver = address_client_new();
    return true;
}

bool world_changed(void *arg, struct buf *name)
{
    const struct smtpd_world *w = arg;

    return policy_changed(w->policy, name) || match_list_changed(w->xclient_hosts, name) ||
           match_list_changed(w->verp_clients, name) ||
           match_list_changed(w->xforward_hosts, name) || tables_changed(w->discard_keywords, name) ||
           tables_changed(w->command_filter, name) || tables_changed(w->footer_maps, name);
}

bool session_look_up(const struct session *s, struct tables *tables, slice key, struct buf *value)
{
    struct err err;
    enum table_got got;

    if (tables == NULL || tables_empty(tables))
        return false;
    got = tables_get(tables, key, session_by(s), value, &err);
    if (got == TABLE_FAILED)
        event_warning("%s", err.text);
    return got == TABLE_FOUND;
}
