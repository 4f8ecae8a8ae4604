#include "mail/policy/listed.h"

#include "mail/policy/policy_inner.h"
#include "mail/syntax/address.h"

/* One look whether the address exists. */
struct listed {
    struct walk_subject subject;
    const struct resolved *resolved;
    bool is_sender;
};

static bool any_domain(void *context, slice domain)
{
    (void)context;
    (void)domain;
    return true;
}

static enum table_got find(struct walk *w, const struct listed *l, struct tables *t, struct err *err)
{
    AUTO_BUF struct buf value = BUF_INIT(64 * 1024);
    struct address_lookup how = {.delimiters = slice_text(w->params->recipient_delimiter)};

    if (tables_empty(t))
        return TABLE_NOT_FOUND;
    if ((l->resolved->flags & RESOLVE_LOCAL) != 0)
        how.is_local_domain = any_domain;
    return tables_get_address(t, l->resolved->recipient, ADDRESS_FULL | ADDRESS_USER | ADDRESS_DOMAIN, &how,
                              w->question->by, &value, err);
}

static enum walk_result cannot_tell(struct walk *w, const struct listed *l, const struct err *err)
{
    walk_warn(w, "%s", err->text);
    walk_warn(w, "lookup error for \"%.*s\"", S_ARG(l->resolved->recipient));
    return walk_temporary(w, l->subject.about);
}

static enum walk_result unknown(struct walk *w, const struct listed *l, int code, const char *table, bool is_alias)
{
    bool show = w->params->show_user_unknown_table_name;
    struct dsn_code dsn = {0, 1, l->is_sender && !is_alias ? 0 : 1};
    slice text = arena_format(w->question->arena, S("User unknown"), "User unknown%s%s%s", show ? " in " : "",
                              show ? table : "", show ? " table" : "");

    return walk_reject(w, code, dsn, l->subject, text);
}

/* RFC 5321 section 4.5.1: "RCPT TO:<postmaster>"; and what notices about notices go to. */
static bool is_always_taken(const struct walk *w, const struct listed *l, slice local)
{
    return slice_eq_case(l->subject.about, S("postmaster")) ||
           slice_eq_case(local, slice_text(w->params->double_bounce_sender));
}

/* Names that every mail system takes mail for, whether or not a table has them. */
static bool is_required_name(slice local)
{
    return slice_eq_case(local, S("postmaster")) || slice_eq_case(local, S("mailer-daemon"));
}

/* What trivial-rewrite sends to error(8) or retry(8), from transport_maps or relocated_maps, is refused with the words
 * that the notice would have: error for good and retry for now, whatever the class of the code. */
static enum walk_result undeliverable(struct walk *w, const struct listed *l)
{
    bool for_good = slice_eq(l->resolved->transport, S("error"));
    slice why = l->resolved->nexthop;
    struct dsn_code dsn = {.subject = 1, .detail = l->is_sender ? 0 : 1};

    if (!for_good && !slice_eq(l->resolved->transport, S("retry")))
        return WALK_ON;
    if (cut_dsn_code(&why, &dsn))
        why = slice_trim(why);
    if (why.n == 0)
        why = S("Address is undeliverable");
    return walk_reject(w, for_good ? 550 : 450, dsn, l->subject, why);
}

static enum walk_result check_class(struct walk *w, const struct listed *l)
{
    const struct params *c = w->params;
    const struct policy *p = w->policy;
    const struct {
        int64_t class;
        struct tables *tables; /* NULL: who is in that class is known from the tables before */
        int code;
        const char *name;
    } classes[] = {
        {RESOLVE_LOCAL, p->local_recipients, c->unknown_local_recipient_reject_code, "local recipient"},
        {RESOLVE_VIRTUAL_ALIAS, NULL, c->unknown_virtual_alias_reject_code, "virtual alias"},
        {RESOLVE_VIRTUAL_MAILBOX, p->virtual_mailboxes, c->unknown_virtual_mailbox_reject_code, "virtual mailbox"},
        {RESOLVE_RELAY, p->relay_recipients, c->unknown_relay_recipient_reject_code, "relay recipient"},
    };
    struct err err;

    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        struct tables *tables = classes[i].tables;

        if ((l->resolved->flags & classes[i].class) == 0)
            continue;
        if (tables == NULL)
            return unknown(w, l, classes[i].code, classes[i].name, true);
        if (tables_empty(tables))
            return WALK_ON; /* nobody can tell: any recipient is good */
        switch (find(w, l, tables, &err)) {
        case TABLE_FOUND:
            return WALK_ON;
        case TABLE_NOT_FOUND:
            return unknown(w, l, classes[i].code, classes[i].name, false);
        default:
            return cannot_tell(w, l, &err);
        }
    }
    return WALK_ON;
}

static enum walk_result check(struct walk *w, const struct listed *l)
{
    struct policy *p = w->policy;
    struct tables *const early[] = {l->is_sender ? p->sender_canonical : p->recipient_canonical, p->canonical,
                                    p->virtual_aliases};
    enum walk_result r;
    struct err err;

    if ((l->resolved->flags & RESOLVE_LOCAL) != 0) {
        slice local, domain;

        address_split(l->resolved->recipient, &local, &domain);
        if (is_always_taken(w, l, local))
            return WALK_ON;
        if (is_required_name(local))
            return undeliverable(w, l);
    }
    for (size_t i = 0; i < COUNT_OF(early); i++) {
        enum table_got got = find(w, l, early[i], &err);

        if (got == TABLE_FOUND)
            return WALK_ON;
        if (got == TABLE_FAILED)
            return cannot_tell(w, l, &err);
    }
    r = undeliverable(w, l);
    return r == WALK_ON ? check_class(w, l) : r;
}

enum walk_result listed_recipient(struct walk *w)
{
    struct listed l = {.subject = walk_recipient(w)};
    enum walk_result result;

    if (l.subject.about.p == NULL)
        return WALK_ON;
    return walk_resolve_recipient(w, &l.resolved, &result) ? check(w, &l) : result;
}

enum walk_result listed_sender(struct walk *w)
{
    struct listed l = {.subject = walk_sender(w), .is_sender = true};
    enum walk_result result;

    if (l.subject.about.n == 0)
        return WALK_ON;
    return walk_resolve_sender(w, &l.resolved, &result) ? check(w, &l) : result;
}
