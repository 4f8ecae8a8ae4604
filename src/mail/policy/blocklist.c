#include "mail/policy/blocklist.h"

#include "core/base/cut.h"
#include "mail/policy/address_pattern.h"
#include "mail/policy/destination.h"
#include "mail/policy/domain.h"
#include "mail/policy/policy_inner.h"
#include "mail/policy/template.h"
#include "mail/syntax/address.h"

#define DSN(subject, detail) ((struct dsn_code){0, (subject), (detail)})

enum { REASON_MOST = 500, REPLY_MOST = REPLY_TEMPLATE_MOST };

enum listing { LISTED, NOT_LISTED, LISTING_UNCERTAIN, LISTING_BROKEN };

/* "rbl.example=127.0.0.2", and what was asked there. */
struct list_entry {
    slice argument, domain, name;
    struct walk_subject subject;
};

/* ---- asking ---- */
static bool any_matches(const struct dns_record *r, bool has_pattern, const struct address_pattern *pattern)
{
    for (; r != NULL; r = r->next)
        if (!has_pattern || address_pattern_has(pattern, &r->address))
            return true;
    return false;
}

/* Looks KEY ("9.2.0.192.", "example.com.") up in the list ARGUMENT. */
static enum listing look_up(struct walk *w, slice argument, slice key, struct list_entry *entry)
{
    struct address_pattern pattern;
    slice rest = entry->argument = argument;
    bool has_pattern = cut_until(&rest, '=', &entry->domain);
    struct dns_answer answer;
    struct err err;

    if (!has_pattern) {
        entry->domain = argument;
    } else if (!address_pattern_parse(rest, &pattern, &err)) {
        (void)walk_misconfigured(w, "RBL reply error: %s", err.text);
        return LISTING_BROKEN;
    }
    if (!arena_printf(w->question->arena, &entry->name, "%.*s%.*s", S_ARG(key), S_ARG(entry->domain)))
        return NOT_LISTED;
    switch (domain_ask(w, entry->name, DNS_A, &answer)) {
    case DNS_FOUND:
        return any_matches(answer.records, has_pattern, &pattern) ? LISTED : NOT_LISTED;
    case DNS_TRY_AGAIN:
        if (!answer.kept)
            walk_warn(w, "%.*s: RBL lookup error: %s", S_ARG(entry->name), answer.reason);
        return LISTING_UNCERTAIN;
    default:
        return NOT_LISTED;
    }
}

static slice address_key(struct walk *w)
{
    AUTO_BUF struct buf key = BUF_INIT(200);

    dns_reverse(&w->question->client, &key);
    return arena_keep(w->question->arena, buf_slice(&key), S("."));
}

static slice name_key(struct walk *w, slice name)
{
    return arena_format(w->question->arena, S("."), "%.*s.", S_ARG(name));
}

/* ---- the reply ---- */
/* What the list says of it: TXT records, in a form that fits into a reply. */
static slice reason(struct walk *w, slice name)
{
    AUTO_BUF struct buf text = BUF_INIT(REASON_MOST);
    struct dns_answer answer;

    if (domain_ask(w, name, DNS_TXT, &answer) != DNS_FOUND) {
        if (w->dns_filtered)
            walk_warn(w, "%.*s: TXT lookup error: DNS reply filter drops all results", S_ARG(name));
        return S("");
    }
    for (const struct dns_record *r = answer.records; r != NULL; r = r->next) {
        slice joint = r == answer.records ? S("") : S(" / ");

        if (!buf_add(&text, slice_head(joint, REASON_MOST - text.n)) ||
            !buf_add(&text, slice_head(r->text, REASON_MOST - text.n)))
            break;
    }
    for (size_t i = 0; i < text.n; i++)
        if (!ascii_is_print(text.p[i]))
            text.p[i] = ' ';
    return arena_keep(w->question->arena, buf_slice(&text), S(""));
}

static void set_address(struct reply_template *names, const char *what, slice address)
{
    slice local = S("<>"), domain = S("");
    char name[40];

    if (address.n > 0)
        address_split(address, &local, &domain);
    reply_template_set(names, what, address.n > 0 ? address : local);
    (void)snprintf(name, sizeof name, "%s_name", what);
    reply_template_set(names, name, local);
    (void)snprintf(name, sizeof name, "%s_domain", what);
    reply_template_set(names, name, domain);
}

static void set_values(struct walk *w, const struct list_entry *entry, struct reply_template *names)
{
    const struct policy_question *q = w->question;
    slice why = reason(w, entry->name);
    char code[12];

    (void)snprintf(code, sizeof code, "%d", w->params->maps_rbl_reject_code);
    reply_template_set(names, "rbl_code", slice_text(code));
    reply_template_set(names, "rbl_class", slice_text(entry->subject.what));
    reply_template_set(names, "rbl_what", entry->subject.about);
    reply_template_set(names, "rbl_domain", entry->domain);
    reply_template_set(names, "rbl_reason", why);
    reply_template_set(names, "rbl_txt", why);
    reply_template_set(names, "client", walk_client(w).about);
    reply_template_set(names, "client_name", q->client_name);
    reply_template_set(names, "client_address", q->client_address);
    reply_template_set(names, "reverse_client_name", q->reverse_name);
    reply_template_set(names, "helo_name", q->helo);
    set_address(names, "sender", q->sender);
    set_address(names, "recipient", q->recipient);
}

/* A name that is none of these: the template cannot be used. */
static const char *unknown_name(void *context, slice name)
{
    slice *unknown = context;

    *unknown = name;
    return NULL;
}

/* "554 5.7.1 text" */
static enum walk_result refuse_with_reply(struct walk *w, slice reply)
{
    slice rest = slice_trim(reply), whole = rest;
    struct dsn_code dsn = DSN(7, 1);
    unsigned code;

    if (!cut_uint(&rest, 3, 3, &code) || code < 400 || code > 599 || cut_blanks(&rest) == 0 || rest.n == 0) {
        walk_warn(w, "rbl response code configuration error: %.*s", S_ARG(whole));
        return walk_refuse(w, 450, DSN(7, 1), "Service unavailable");
    }
    if (cut_dsn_code(&rest, &dsn))
        rest = slice_trim(rest);
    return walk_refuse(w, (int)code, dsn, "%.*s", S_ARG(rest));
}

static enum walk_result refuse_with_template(struct walk *w, const struct list_entry *entry, slice template)
{
    AUTO_BUF struct buf reply = BUF_INIT(REPLY_MOST);
    slice unknown = S("");
    struct reply_template names;
    struct err err;
    bool good;

    reply_template_init(&names, w->params, w->question->arena);
    set_values(w, entry, &names);
    good = conf_expand(&names.values, unknown_name, &unknown, "default_rbl_reply", template, &reply, &err);
    reply_template_done(&names);
    if (!good)
        return walk_misconfigured(w, "%s", err.text);
    if (unknown.n > 0)
        return walk_misconfigured(w, "unknown name \"%.*s\" in RBL reply template: %.*s", S_ARG(unknown),
                                  S_ARG(template));
    return refuse_with_reply(w, buf_slice(&reply));
}

static enum walk_result refuse(struct walk *w, const struct list_entry *entry)
{
    AUTO_BUF struct buf template = BUF_INIT(REPLY_MOST);
    struct tables *replies = w->policy->rbl_replies;
    struct err err;

    switch (tables_get(replies, entry->argument, w->question->by, &template, &err)) {
    case TABLE_FOUND:
        return refuse_with_template(w, entry, buf_slice(&template));
    case TABLE_NOT_FOUND:
        return refuse_with_template(w, entry, slice_text(w->params->default_rbl_reply));
    default:
        return walk_misconfigured(w, "%s lookup error for \"%.*s\"", tables_failed(replies), S_ARG(entry->argument));
    }
}

/* ---- the restrictions ---- */
static enum walk_result reject_listed(struct walk *w, slice argument, slice key, struct walk_subject subject)
{
    struct list_entry entry = {.subject = subject};

    switch (look_up(w, argument, key, &entry)) {
    case LISTED:
        return refuse(w, &entry);
    case LISTING_BROKEN:
        return WALK_REFUSE;
    default:
        return WALK_ON; /* trouble with a list is no reason to refuse */
    }
}

/* For safety not where it would let strangers relay. */
static enum walk_result permit_listed(struct walk *w, slice argument, slice key, slice about)
{
    struct list_entry entry;
    enum walk_result result;
    bool is_ours = false;

    if (w->question->recipient.p != NULL && !destination_is_ours(w, &is_ours, &result))
        return result;
    if (w->question->recipient.p != NULL && !is_ours)
        return WALK_ON;
    switch (look_up(w, argument, key, &entry)) {
    case LISTED:
        return WALK_PERMIT;
    case LISTING_UNCERTAIN:
        walk_defer_if(w, &w->if_reject, 450, DSN(7, 1), (struct walk_subject){about, "Client host"},
                      S("Service unavailable"));
        return WALK_ON;
    case LISTING_BROKEN:
        return WALK_REFUSE;
    default:
        return WALK_ON;
    }
}

static bool is_name(slice name)
{
    return hostname_valid(name) && !slice_eq_case(name, S("unknown"));
}

static bool has_argument(struct walk *w, const struct restriction_use *use)
{
    if (use->argument.n == 0)
        walk_warn(w, "restriction %s requires domain name argument", use->what->name);
    return use->argument.n > 0;
}

enum walk_result reject_rbl_client(struct walk *w, const struct restriction_use *use)
{
    struct walk_subject subject = {w->question->client_address, "Client host"};

    return has_argument(w, use) ? reject_listed(w, use->argument, address_key(w), subject) : WALK_ON;
}

enum walk_result permit_dnswl_client(struct walk *w, const struct restriction_use *use)
{
    return has_argument(w, use) ? permit_listed(w, use->argument, address_key(w), w->question->client_address) : WALK_ON;
}

static enum walk_result reject_listed_name(struct walk *w, const struct restriction_use *use, slice name,
                                           struct walk_subject subject)
{
    if (!has_argument(w, use) || !is_name(name))
        return WALK_ON;
    return reject_listed(w, use->argument, name_key(w, name), subject);
}

enum walk_result reject_rhsbl_client(struct walk *w, const struct restriction_use *use)
{
    slice name = w->question->client_name;

    return reject_listed_name(w, use, name, (struct walk_subject){name, "Client host"});
}

enum walk_result permit_rhswl_client(struct walk *w, const struct restriction_use *use)
{
    slice name = w->question->client_name;

    if (!has_argument(w, use) || !is_name(name))
        return WALK_ON;
    return permit_listed(w, use->argument, name_key(w, name), name);
}

enum walk_result reject_rhsbl_reverse_client(struct walk *w, const struct restriction_use *use)
{
    slice name = w->question->reverse_name;

    return reject_listed_name(w, use, name, (struct walk_subject){name, "Unverified Client host"});
}

enum walk_result reject_rhsbl_helo(struct walk *w, const struct restriction_use *use)
{
    return reject_listed_name(w, use, w->question->helo, walk_helo(w));
}

static enum walk_result reject_listed_domain(struct walk *w, const struct restriction_use *use,
                                             struct walk_subject subject)
{
    slice local, domain;

    address_split(subject.about, &local, &domain);
    return reject_listed_name(w, use, domain, subject);
}

enum walk_result reject_rhsbl_sender(struct walk *w, const struct restriction_use *use)
{
    return reject_listed_domain(w, use, walk_sender(w));
}

enum walk_result reject_rhsbl_recipient(struct walk *w, const struct restriction_use *use)
{
    return reject_listed_domain(w, use, walk_recipient(w));
}

enum walk_result reject_maps_rbl(struct walk *w, const struct restriction_use *use)
{
    slice lists = slice_text(w->params->maps_rbl_domains), domain;
    struct walk_subject subject = {w->question->client_address, "Client host"};
    enum walk_result result = WALK_ON;

    walk_warn(w,
              "support for restriction \"%s\" will be removed from Postfix; use \"reject_rbl_client domain-name\" "
              "instead",
              use->what->name);
    while (result == WALK_ON && cut_word(&lists, ", \t\r\n", &domain))
        result = reject_listed(w, domain, address_key(w), subject);
    return result;
}
