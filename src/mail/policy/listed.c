/* Does the recipient exist?  By address class, from the tables that class names. */
#include "mail/policy/internal.h"
#include "mail/syntax/address.h"

static bool any_domain(void *context, slice domain)
{
    (void)context;
    (void)domain;
    return true;
}

static enum table_got find(struct walk *w, struct tables *t, unsigned what, bool local, struct err *err)
{
    AUTO_BUF struct buf value = BUF_INIT(64 * 1024);
    struct address_lookup how = {.delimiters = slice_text(w->policy->params->recipient_delimiter)};

    if (tables_empty(t))
        return TABLE_NOT_FOUND;
    if (local)
        how.is_local_domain = any_domain;
    return tables_get_address(t, w->question->resolved.recipient, what, &how, w->question->by, &value, err);
}

static enum walk_result unknown(struct walk *w, int code, const char *table)
{
    bool show = w->policy->params->show_user_unknown_table_name;

    return walk_refuse(w, code, code >= 500 ? "5.1.1" : "4.1.1",
                       "<%.*s>: Recipient address rejected: User unknown%s%s%s", S_ARG(w->question->recipient),
                       show ? " in " : "", show ? table : "", show ? " table" : "");
}

/* RFC 5321 section 4.5.1: "RCPT TO:<postmaster>"; and what notices about notices go to. */
static bool is_always_taken(const struct walk *w, slice local)
{
    return slice_eq_case(w->question->recipient, S("postmaster")) ||
           slice_eq_case(local, slice_text(w->policy->params->double_bounce_sender));
}

/* Names that every mail system takes mail for, whether or not a table has them. */
static bool is_required_name(slice local)
{
    return slice_eq_case(local, S("postmaster")) || slice_eq_case(local, S("mailer-daemon"));
}

/* What trivial-rewrite sends to error(8) or retry(8), from transport_maps or relocated_maps, is refused with the words
 * that the notice would have: error for good and retry for now, whatever the class of the code. */
static enum walk_result undeliverable(struct walk *w)
{
    bool for_good = slice_eq(w->question->resolved.transport, S("error"));
    slice why = w->question->resolved.nexthop;
    struct dsn_code code = {.subject = 1, .detail = 1};
    char dsn[DSN_CODE_TEXT];

    if (!for_good && !slice_eq(w->question->resolved.transport, S("retry")))
        return WALK_ON;
    if (cut_dsn_code(&why, &code))
        why = slice_trim(why);
    code.class = for_good ? 5 : 4;
    dsn_code_print(code, dsn);
    if (why.n == 0)
        why = S("Address is undeliverable");
    return walk_refuse(w, for_good ? 550 : 450, dsn, "<%.*s>: Recipient address rejected: %.*s",
                       S_ARG(w->question->recipient), S_ARG(why));
}

enum walk_result listed_check(struct walk *w)
{
    const struct params *c = w->policy->params;
    struct policy *p = w->policy;
    const struct {
        struct tables *tables;
    } early[] = {{p->recipient_canonical}, {p->canonical}, {p->virtual_aliases}};
    const struct {
        int64_t class;
        struct tables *tables;
        int code;
        const char *name;
    } by_class[] = {
        {RESOLVE_LOCAL, p->local_recipients, c->unknown_local_recipient_reject_code, "local recipient"},
        {RESOLVE_VIRTUAL_ALIAS, NULL, c->unknown_virtual_alias_reject_code, "virtual alias"},
        {RESOLVE_VIRTUAL_MAILBOX, p->virtual_mailboxes, c->unknown_virtual_mailbox_reject_code, "virtual mailbox"},
        {RESOLVE_RELAY, p->relay_recipients, c->unknown_relay_recipient_reject_code, "relay recipient"},
    };
    unsigned all = ADDRESS_FULL | ADDRESS_USER | ADDRESS_DOMAIN;
    enum table_got got;
    struct err err;

    if (!walk_resolve(w))
        return WALK_REFUSE;
    if ((w->question->resolved.flags & RESOLVE_LOCAL) != 0) {
        slice local, domain;

        address_split(w->question->resolved.recipient, &local, &domain);
        if (is_always_taken(w, local))
            return WALK_ON;
        if (is_required_name(local))
            return undeliverable(w);
    }
    for (size_t i = 0; i < COUNT_OF(early); i++) {
        got = find(w, early[i].tables, all, (w->question->resolved.flags & RESOLVE_LOCAL) != 0, &err);
        if (got == TABLE_FOUND)
            return WALK_ON;
        if (got == TABLE_FAILED)
            return walk_trouble(w, w->question->recipient, "Recipient address", &err);
    }
    if (undeliverable(w) == WALK_REFUSE)
        return WALK_REFUSE;
    for (size_t i = 0; i < COUNT_OF(by_class); i++) {
        if ((w->question->resolved.flags & by_class[i].class) == 0)
            continue;
        if (by_class[i].tables == NULL)
            return unknown(w, by_class[i].code, by_class[i].name);
        if (tables_empty(by_class[i].tables))
            return WALK_ON; /* nobody can tell: any recipient is good */
        got = find(w, by_class[i].tables, all, by_class[i].class == RESOLVE_LOCAL, &err);
        if (got == TABLE_FAILED)
            return walk_trouble(w, w->question->recipient, "Recipient address", &err);
        return got == TABLE_FOUND ? WALK_ON : unknown(w, by_class[i].code, by_class[i].name);
    }
    return WALK_ON;
}
