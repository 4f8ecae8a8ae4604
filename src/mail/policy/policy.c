#include "mail/policy/policy.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "core/base/cut.h"
#include "mail/address/probe_sender.h"
#include "mail/params/own_address.h"
#include "mail/policy/delegate.h"
#include "mail/policy/list.h"
#include "mail/policy/listed.h"
#include "mail/policy/policy_inner.h"
#include "mail/proto/verify.h"

enum { POLICY_ARENA_BYTES = 4 << 20, NAMES_MOST = 256 };
#define NAMES_US SECONDS(30)

const struct restriction_list *policy_class(const struct policy *p, slice name)
{
    for (size_t i = 0; i < p->class_count; i++)
        if (slice_eq(p->classes[i].name, name))
            return &p->classes[i].list;
    return NULL;
}

/* A class may name any class, so all names are there before the first list is read. */
static bool open_classes(struct policy *p, struct buf *warnings, struct err *err)
{
    slice names = slice_text(p->params->smtpd_restriction_classes), rest = names, name;
    size_t count = 0;

    while (cut_word(&rest, ", \t\r\n", &name))
        count++;
    p->classes = arena_alloc_array(&p->arena, count + 1, sizeof *p->classes);
    if (p->classes == NULL)
        return err_set(err, ERR_LIMIT, "smtpd_restriction_classes: no memory for %zu names", count);
    while (cut_word(&names, ", \t\r\n", &name))
        p->classes[p->class_count++].name = name;
    for (size_t i = 0; i < count; i++) {
        const char *text = params_get(p->params, p->classes[i].name);
        const struct list_parser parser = {.arena = &p->arena,
                                           .policy = p,
                                           .may_open = true,
                                           .bare_table = "check_client_access",
                                           .warnings = warnings,
                                           .parameter = "smtpd_restriction_classes"};

        if (text != NULL && !restriction_list_parse(&parser, slice_text(text), &p->classes[i].list, err))
            return err_note(err, "%.*s", S_ARG(p->classes[i].name));
    }
    return true;
}

/* A server without any of these would relay for the whole world. */
static bool relaying_is_guarded(const struct policy *p, struct err *err)
{
    return restriction_list_guards(&p->lists[POLICY_RELAY]) || restriction_list_guards(&p->lists[POLICY_RECIPIENT]) ||
           err_set(
               err, ERR_CONFIG,
               "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working "
               "instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, defer_if_permit or "
               "check_relay_domains");
}

static bool open_lists(struct policy *p, struct buf *warnings, struct err *err)
{
    const struct params *c = p->params;
    const struct {
        enum policy_list list;
        const char *name, *text, *bare_table;
    } rows[] = {
        {POLICY_CLIENT, "smtpd_client_restrictions", c->smtpd_client_restrictions, "check_client_access"},
        {POLICY_HELO, "smtpd_helo_restrictions", c->smtpd_helo_restrictions, "check_helo_access"},
        {POLICY_SENDER, "smtpd_sender_restrictions", c->smtpd_sender_restrictions, "check_sender_access"},
        {POLICY_RELAY, "smtpd_relay_restrictions", c->smtpd_relay_restrictions, "check_recipient_access"},
        {POLICY_RECIPIENT, "smtpd_recipient_restrictions", c->smtpd_recipient_restrictions, "check_recipient_access"},
        {POLICY_DATA, "smtpd_data_restrictions", c->smtpd_data_restrictions, "check_recipient_access"},
        {POLICY_END_OF_DATA, "smtpd_end_of_data_restrictions", c->smtpd_end_of_data_restrictions,
         "check_recipient_access"},
        {POLICY_ETRN, "smtpd_etrn_restrictions", c->smtpd_etrn_restrictions, "check_etrn_access"},
        {POLICY_REWRITE_HEADERS, "local_header_rewrite_clients", c->local_header_rewrite_clients, "check_address_map"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct list_parser parser = {.arena = &p->arena,
                                           .policy = p,
                                           .may_open = true,
                                           .bare_table = rows[i].bare_table,
                                           .warnings = warnings,
                                           .parameter = rows[i].name};

        if (!restriction_list_parse(&parser, slice_text(rows[i].text), &p->lists[rows[i].list], err))
            return err_note(err, "%s", rows[i].name);
    }
    return relaying_is_guarded(p, err);
}

static bool open_tables(struct policy *p, struct buf *warnings, struct err *err)
{
    const struct params *c = p->params;
    struct {
        struct tables **to;
        const char *name, *list;
    } rows[] = {
        {&p->local_recipients, "local_recipient_maps", c->local_recipient_maps},
        {&p->virtual_aliases, "virtual_alias_maps", c->virtual_alias_maps},
        {&p->virtual_mailboxes, "virtual_mailbox_maps", c->virtual_mailbox_maps},
        {&p->relay_recipients, "relay_recipient_maps", c->relay_recipient_maps},
        {&p->canonical, "canonical_maps", c->canonical_maps},
        {&p->recipient_canonical, "recipient_canonical_maps", c->recipient_canonical_maps},
        {&p->sender_canonical, "sender_canonical_maps", c->sender_canonical_maps},
        {&p->rbl_replies, "rbl_reply_maps", c->rbl_reply_maps},
        {&p->dns_filter, "smtpd_dns_reply_filter", c->smtpd_dns_reply_filter},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        *rows[i].to = tables_open(slice_text(rows[i].list), TABLE_FOLD, warnings, err);
        if (*rows[i].to == NULL)
            return err_note(err, "%s", rows[i].name);
    }
    return true;
}

static bool open_match_lists(struct policy *p, struct err *err)
{
    const struct params *c = p->params;
    const struct {
        struct match_list **to;
        const char *name, *list;
        enum match_kind kind;
    } rows[] = {
        {&p->clients[POLICY_MYNETWORKS], "mynetworks", c->mynetworks, MATCH_HOST},
        {&p->clients[POLICY_BARE_NEWLINE_OK], "smtpd_forbid_bare_newline_exclusions",
         c->smtpd_forbid_bare_newline_exclusions, MATCH_HOST},
        {&p->clients[POLICY_NOT_LIMITED], "smtpd_client_event_limit_exceptions", c->smtpd_client_event_limit_exceptions,
         MATCH_HOST},
        {&p->logged_permits, "smtpd_log_access_permit_actions", c->smtpd_log_access_permit_actions, MATCH_STRING},
        {&p->mx_backup_networks, "permit_mx_backup_networks", c->permit_mx_backup_networks, MATCH_HOST},
        {&p->forbidden_commands, "smtpd_forbidden_commands", c->smtpd_forbidden_commands, MATCH_STRING},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool parents = words_have(slice_text(c->parent_domain_matches_subdomains), slice_text(rows[i].name));

        *rows[i].to = match_list_open(slice_text(rows[i].list), rows[i].kind, parents, err);
        if (*rows[i].to == NULL)
            return err_note(err, "%s", rows[i].name);
    }
    return true;
}

struct policy *policy_open(struct params *params, struct buf *warnings, struct err *err)
{
    struct policy *p = xcalloc(1, sizeof *p);

    p->params = params;
    arena_init(&p->arena, POLICY_ARENA_BYTES);
    p->verify = link_pool_new("private", params->address_verify_service_name, VERIFY_PROTOCOL);
    p->dns = dns_open(err);
    if (p->dns != NULL)
        p->names = dns_cache_new(p->dns, NAMES_MOST, NAMES_US);
    if (p->dns == NULL || !inet_protocols_parse(slice_text(params->inet_protocols), &p->asks_ipv4, &p->asks_ipv6, err) ||
        !open_classes(p, warnings, err) || !open_lists(p, warnings, err) || !open_tables(p, warnings, err) ||
        !open_match_lists(p, err)) {
        policy_close(p);
        return NULL;
    }
    return p;
}

enum { TABLES = 9 };

/* What open_tables() opened. */
static void list_tables(const struct policy *p, struct tables *out[TABLES])
{
    struct tables *const all[TABLES] = {p->local_recipients,    p->virtual_aliases,  p->virtual_mailboxes,
                                        p->relay_recipients,    p->canonical,        p->recipient_canonical,
                                        p->sender_canonical,    p->rbl_replies,      p->dns_filter};

    memcpy(out, all, sizeof all);
}

void policy_close(struct policy *p)
{
    struct tables *tables[TABLES];

    for (size_t l = 0; l < POLICY_LISTS; l++)
        restriction_list_close(&p->lists[l]);
    for (size_t i = 0; i < p->class_count; i++)
        restriction_list_close(&p->classes[i].list);
    list_tables(p, tables);
    for (size_t i = 0; i < TABLES; i++)
        if (tables[i] != NULL)
            tables_close(tables[i]);
    for (size_t i = 0; i < POLICY_CLIENT_LISTS; i++)
        if (p->clients[i] != NULL)
            match_list_close(p->clients[i]);
    if (p->logged_permits != NULL)
        match_list_close(p->logged_permits);
    if (p->mx_backup_networks != NULL)
        match_list_close(p->mx_backup_networks);
    if (p->forbidden_commands != NULL)
        match_list_close(p->forbidden_commands);
    policy_servers_close(p->servers);
    dns_cache_free(p->names);
    dns_close(p->dns);
    link_pool_free(p->verify);
    arena_done(&p->arena);
    free(p);
}

bool policy_changed(void *policy, struct buf *name)
{
    struct policy *p = policy;
    struct tables *tables[TABLES];

    list_tables(p, tables);
    for (size_t i = 0; i < TABLES; i++)
        if (tables_changed(tables[i], name))
            return true;
    if (dns_config_changed(p->dns))
        return buf_add_text(name, "/etc/resolv.conf");
    for (size_t l = 0; l < POLICY_LISTS; l++)
        if (restriction_list_changed(&p->lists[l], name))
            return true;
    for (size_t i = 0; i < p->class_count; i++)
        if (restriction_list_changed(&p->classes[i].list, name))
            return true;
    return false;
}

static struct walk begin(struct policy *p, struct policy_question *q, struct buf *warning)
{
    struct walk w = walk_begin(p, p->params, q, warning);

    w.walk_text = restriction_text_walk;
    return w;
}

struct policy_answer policy_ask(struct policy *p, enum policy_list list, struct policy_question *q, struct buf *warning)
{
    struct walk w = begin(p, q, warning);

    walk_set_list(&w, list);
    return walk_end(&w, restriction_list_walk(&w, &p->lists[list]));
}

bool policy_takes_always(const struct policy *p, slice recipient)
{
    return slice_eq_case(recipient, S("postmaster")) ||
           probe_sender_is(p->params, clock_wall_us() / SECONDS(1), recipient);
}

struct policy_answer policy_settle(const struct policy_question *q)
{
    const struct policy_deferral *d = &q->if_permit;

    if (!d->active)
        return (struct policy_answer){.verdict = POLICY_DUNNO};
    return (struct policy_answer){.verdict = POLICY_REFUSE, .code = d->code, .dsn = d->dsn, .text = d->text};
}

struct policy_answer policy_listed_recipient(struct policy *p, struct policy_question *q, struct buf *warning)
{
    struct walk w = begin(p, q, warning);

    return walk_end(&w, listed_recipient(&w));
}

struct policy_answer policy_listed_sender(struct policy *p, struct policy_question *q, struct buf *warning)
{
    struct walk w = begin(p, q, warning);

    return walk_end(&w, listed_sender(&w));
}

bool policy_client_in(struct policy *p, enum policy_clients which, struct policy_question *q)
{
    struct err err;

    return match_list_has(p->clients[which], q->client_name, q->client_address, q->by, &err) == TABLE_FOUND;
}

bool policy_forbids_command(struct policy *p, slice word, deadline by)
{
    struct err err;

    return match_list_has(p->forbidden_commands, word, S(""), by, &err) == TABLE_FOUND;
}

void policy_warm_up(struct policy *p, deadline by)
{
    AUTO_BUF struct buf value = BUF_INIT(64 * 1024);
    struct err err;

    if (tables_get(p->local_recipients, S("postmaster"), by, &value, &err) == TABLE_FAILED)
        return; /* the first recipient will meet it and say so */
}
