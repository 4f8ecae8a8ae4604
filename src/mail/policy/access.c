#include "mail/policy/access.h"

#include "core/base/cut.h"
#include "mail/syntax/address.h"

/* TEXT may begin with an enhanced status code of its own. */
static slice own_status(slice text, struct dsn_code *dsn, slice fallback)
{
    text = slice_trim(text);
    if (cut_dsn_code(&text, dsn))
        text = slice_trim(text);
    return text.n > 0 ? text : fallback;
}

static enum walk_result refuse_with(struct walk *w, int code, slice text, struct walk_subject subject)
{
    struct dsn_code dsn = {0, 7, 1};

    text = own_status(text, &dsn, S("Access denied"));
    return walk_reject(w, code, dsn, subject, text);
}

static enum walk_result defer_if(struct walk *w, struct policy_deferral *which, slice text, struct walk_subject subject)
{
    struct dsn_code dsn = {0, 7, 1};

    text = own_status(text, &dsn, S("Service unavailable"));
    walk_defer_if(w, which, w->params->access_map_defer_code, dsn, subject, text);
    return WALK_ON;
}

/* A code that refuses: "550 text".  Without a text, digits of any number permit, as "OK" does. */
static bool is_refusing_code(slice word, slice rest, unsigned *code)
{
    slice digits = word;

    return rest.n > 0 && cut_uint(&digits, 3, 3, code) && digits.n == 0 && *code >= 400 && *code <= 599;
}

static bool all_digits(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_digit(s.p[i]))
            return false;
    return s.n > 0;
}

static bool act_verdict(struct walk *w, slice word, slice rest, const char *table, struct walk_subject subject,
                        enum walk_result *result)
{
    const struct params *c = w->params;
    unsigned code;

    if (slice_eq_case(word, S("DUNNO")))
        *result = WALK_ON;
    else if (slice_eq_case(word, S("OK")) || (rest.n == 0 && all_digits(word)))
        *result = walk_permit(w, word, subject, table);
    else if (slice_eq_case(word, S("REJECT")))
        *result = refuse_with(w, c->access_map_reject_code, rest, subject);
    else if (slice_eq_case(word, S("DEFER")))
        *result = refuse_with(w, c->access_map_defer_code, rest, subject);
    else if (slice_eq_case(word, S("DEFER_IF_REJECT")))
        *result = defer_if(w, &w->if_reject, rest, subject);
    else if (slice_eq_case(word, S("DEFER_IF_PERMIT")))
        *result = defer_if(w, &w->question->if_permit, rest, subject);
    else if (is_refusing_code(word, rest, &code))
        *result = refuse_with(w, (int)code, rest, subject);
    else
        return false;
    return true;
}

/* ---- actions that leave a note and let the walk go on ---- */
static bool is_mail_address(slice s)
{
    return slice_find(s, '@') != SLICE_NONE;
}

static bool is_transport_and_nexthop(slice s)
{
    return slice_find(s, ':') != SLICE_NONE;
}

/* "name: text", the name without blanks. */
static bool is_header(slice s)
{
    size_t colon = slice_find(s, ':');

    for (size_t i = 0; colon != SLICE_NONE && i < colon; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return colon != SLICE_NONE && colon > 0;
}

static const struct {
    const char *word, *verb;
    bool (*is_good)(slice argument); /* NULL: the argument is a text for the log */
    const char *wants;
} side_actions[] = {
    {"HOLD", "hold", NULL, NULL},
    {"DISCARD", "discard", NULL, NULL},
    {"FILTER", "filter", is_transport_and_nexthop, "requires transport:destination"},
    {"REDIRECT", "redirect", is_mail_address, "requires user@domain target"},
    {"PREPEND", "prepend", is_header, "requires header: text"},
    {"BCC", "bcc", is_mail_address, "requires user@domain target"},
};

static bool act_aside(struct walk *w, slice word, slice rest, const char *table, slice key, struct walk_subject subject,
                      enum walk_result *result)
{
    *result = WALK_ON;
    for (size_t i = 0; i < COUNT_OF(side_actions); i++) {
        const char *verb = side_actions[i].verb, *name = side_actions[i].word;

        if (!slice_eq_case(word, slice_text(name)))
            continue;
        if (side_actions[i].is_good == NULL && rest.n > 0)
            walk_note(w, verb, rest, "<%.*s>: %s %.*s", S_ARG(subject.about), subject.what, S_ARG(rest));
        else if (side_actions[i].is_good == NULL)
            walk_note(w, verb, rest, "<%.*s>: %s triggers %s action", S_ARG(subject.about), subject.what, name);
        else if (slice_eq(word, S("PREPEND")) && w->list == POLICY_END_OF_DATA)
            walk_warn(w, "access table %s: action PREPEND must be used before smtpd_end_of_data_restrictions", table);
        else if (rest.n == 0 && slice_eq(slice_text(verb), S("filter")))
            walk_warn(w, "access table %s entry \"%.*s\" has FILTER entry without value", table, S_ARG(key));
        else if (!side_actions[i].is_good(rest))
            walk_warn(w, "access table %s entry \"%.*s\" %s", table, S_ARG(key), side_actions[i].wants);
        else
            walk_note(w, verb, rest, "<%.*s>: %s triggers %s %.*s", S_ARG(subject.about), subject.what, name,
                      S_ARG(rest));
        if (slice_eq(slice_text(verb), S("discard")))
            *result = WALK_DISCARD;
        return true;
    }
    return false;
}

static bool act_log(struct walk *w, slice word, slice rest)
{
    if (slice_eq_case(word, S("WARN")))
        walk_note(w, "warn", S(""), "%.*s", S_ARG(rest));
    else if (slice_eq_case(word, S("INFO")))
        walk_note(w, "info", S(""), "%.*s", S_ARG(rest));
    else
        return false;
    return true;
}

enum walk_result access_act(struct walk *w, slice value, const char *table, slice key, struct walk_subject subject)
{
    struct walk_subject before = w->subject;
    slice rest = value, word = S("");
    enum walk_result result = WALK_ON;

    (void)cut_word(&rest, " \t", &word);
    (void)cut_blanks(&rest);
    if (act_verdict(w, word, rest, table, subject, &result) || act_aside(w, word, rest, table, key, subject, &result) ||
        act_log(w, word, rest))
        return result;
    w->subject = subject;
    result = w->walk_text(w, value, table);
    w->subject = before;
    return result;
}

/* ---- look-ups ---- */
static enum walk_result look(struct walk *w, struct table *t, slice key, struct walk_subject subject, bool *found)
{
    AUTO_BUF struct buf value = BUF_INIT(4096);
    struct err err;

    switch (table_get(t, key, w->question->by, &value, &err)) {
    case TABLE_NOT_FOUND:
        return WALK_ON;
    case TABLE_FOUND:
        *found = true;
        if (value.n > 0)
            return access_act(w, buf_slice(&value), table_name(t), key, subject);
        walk_warn(w, "%s lookup of %.*s returns an empty string result", table_name(t), S_ARG(key));
        walk_warn(w, "%s should return NO RESULT in case of NOT FOUND", table_name(t));
        return walk_reject(w, 451, (struct dsn_code){4, 3, 5}, subject, S("Server configuration error"));
    default:
        *found = true;
        return walk_table_trouble(w, table_name(t), key, subject, &err);
    }
}

enum walk_result access_domain(struct walk *w, struct table *t, slice name, struct walk_subject subject, bool *found)
{
    /* Does "example.com" stand for what is below it, or must a table say ".example.com"? */
    bool bare_parents = words_have(slice_text(w->params->parent_domain_matches_subdomains), S("smtpd_access_maps"));
    enum walk_result result = look(w, t, name, subject, found);
    slice rest = name;
    size_t dot;

    while (!*found && !table_is_pattern(t) && (dot = slice_find(slice_skip(rest, 1), '.')) != SLICE_NONE) {
        rest = slice_skip(rest, dot + 1);
        if (bare_parents)
            rest = slice_skip(rest, 1);
        if (rest.n == 0)
            break;
        result = look(w, t, rest, subject, found);
    }
    return result;
}

/* 192.0.2.1, 192.0.2, 192.0, 192 (and the same by colons). */
enum walk_result access_address(struct walk *w, struct table *t, slice address, struct walk_subject subject,
                                bool *found)
{
    char separator = slice_find(address, ':') != SLICE_NONE ? ':' : '.';
    enum walk_result result = look(w, t, address, subject, found);
    size_t cut;

    while (!*found && !table_is_pattern(t) && (cut = slice_find_last(address, separator)) != SLICE_NONE) {
        address = slice_head(address, cut);
        while (address.n > 0 && address.p[address.n - 1] == ':')
            address.n--;
        if (address.n == 0)
            break;
        result = look(w, t, address, subject, found);
    }
    return result;
}

enum walk_result access_host(struct walk *w, struct table *t, slice name, slice address, struct walk_subject subject)
{
    bool found = false;
    enum walk_result result = access_domain(w, t, name, subject, &found);

    return found ? result : access_address(w, t, address, subject, &found);
}

static enum walk_result look_joined(struct walk *w, struct table *t, slice local, slice domain,
                                    struct walk_subject subject, bool *found)
{
    slice key = arena_format(w->question->arena, S(""), "%.*s@%.*s", S_ARG(local), S_ARG(domain));

    return key.n == 0 ? WALK_ON : look(w, t, key, subject, found);
}

/* user+extension@domain, user@domain, domain and its parents, user+extension@, user@. */
enum walk_result access_mail(struct walk *w, struct table *t, slice mail, struct walk_subject subject)
{
    slice local, domain, base, extension;
    bool found = false;
    enum walk_result result = look(w, t, mail, subject, &found);

    if (found || table_is_pattern(t))
        return result;
    address_split(mail, &local, &domain);
    address_split_extension(local, slice_text(w->params->recipient_delimiter), &base, &extension);
    extension = slice_skip(local, base.n); /* with its delimiter, and be it that alone */
    if (extension.n > 0 && domain.n > 0)
        result = look_joined(w, t, base, domain, subject, &found);
    if (!found && domain.n > 0)
        result = access_domain(w, t, domain, subject, &found);
    if (!found)
        result = look_joined(w, t, local, S(""), subject, &found);
    if (!found && extension.n > 0)
        result = look_joined(w, t, base, S(""), subject, &found);
    return result;
}
