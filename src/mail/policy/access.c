/* What an access table says (access(5)): the look-up orders and the right-hand sides. */
#include "core/base/cut.h"
#include "mail/policy/internal.h"
#include "mail/syntax/address.h"

/* TEXT may begin with an enhanced status code of its own. */
static enum walk_result refuse_with(struct walk *w, int code, const char *dsn, slice text, slice about, const char *what)
{
    struct dsn_code given;
    char own[DSN_CODE_TEXT];

    text = slice_trim(text);
    if (cut_dsn_code(&text, &given)) {
        dsn_code_print(given, own);
        dsn = own;
        text = slice_trim(text);
    }
    if (text.n == 0)
        text = code >= 500 ? S("Access denied") : S("Try again later");
    return walk_refuse(w, code, dsn, "<%.*s>: %s rejected: %.*s", S_ARG(about), what, S_ARG(text));
}

static enum walk_result act_refuse(struct walk *w, slice word, slice rest, slice about, const char *what)
{
    const struct params *c = w->policy->params;
    slice digits = word;
    unsigned code;

    if (slice_eq_case(word, S("REJECT")))
        return refuse_with(w, c->access_map_reject_code, "5.7.1", rest, about, what);
    if (slice_eq_case(word, S("DEFER")))
        return refuse_with(w, c->access_map_defer_code, "4.7.1", rest, about, what);
    if (cut_uint(&digits, 3, 3, &code) && digits.n == 0 && code >= 400 && code <= 599)
        return refuse_with(w, (int)code, code >= 500 ? "5.7.1" : "4.7.1", rest, about, what);
    if (slice_eq_case(word, S("DEFER_IF_PERMIT")) || slice_eq_case(word, S("DEFER_IF_REJECT"))) {
        bool permit = slice_eq_case(word, S("DEFER_IF_PERMIT"));

        *(permit ? &w->defer_if_permit : &w->defer_if_reject) = true;
        if (!arena_printf(w->question->arena, &w->defer_text, "<%.*s>: %s rejected: %.*s", S_ARG(about), what,
                          S_ARG(rest.n > 0 ? rest : S("Service unavailable"))))
            w->defer_text = S("Service unavailable");
        return WALK_ON;
    }
    return WALK_PERMIT; /* not a refusal: the caller looks on */
}

static bool is_refusal(slice word)
{
    return slice_eq_case(word, S("REJECT")) || slice_starts_case(word, S("DEFER")) ||
           (word.n == 3 && (word.p[0] == '4' || word.p[0] == '5') && ascii_is_digit(word.p[1]) && ascii_is_digit(word.p[2]));
}

/* Actions that leave a note and let the walk go on. */
static const struct {
    const char *word, *verb, *triggers;
    bool needs_argument;
} side_actions[] = {
    {"HOLD", "hold", "triggers HOLD action", false},     {"DISCARD", "discard", "triggers DISCARD action", false},
    {"WARN", "warn", "triggers WARN action", false},     {"INFO", "info", "triggers INFO action", false},
    {"FILTER", "filter", "triggers FILTER", true},       {"REDIRECT", "redirect", "triggers REDIRECT", true},
    {"PREPEND", "prepend", "triggers PREPEND", true},    {"BCC", "bcc", "triggers BCC", true},
};

static bool act_aside(struct walk *w, slice word, slice rest, slice about, const char *what, enum walk_result *result)
{
    for (size_t i = 0; i < COUNT_OF(side_actions); i++) {
        if (!slice_eq_case(word, slice_text(side_actions[i].word)))
            continue;
        *result = WALK_ON;
        if (side_actions[i].needs_argument && rest.n == 0)
            *result = walk_misconfigured(w, "access table entry %s for %.*s needs an argument", side_actions[i].word,
                                         S_ARG(about));
        else if (rest.n > 0 && !side_actions[i].needs_argument)
            walk_note(w, side_actions[i].verb, rest, "<%.*s>: %s %.*s", S_ARG(about), what, S_ARG(rest));
        else
            walk_note(w, side_actions[i].verb, rest, "<%.*s>: %s %s%s%.*s", S_ARG(about), what, side_actions[i].triggers,
                      rest.n > 0 ? " " : "", S_ARG(rest));
        return true;
    }
    return false;
}

/* A right-hand side that is all digits permits, as "OK" does (address verification in old tables). */
static bool all_digits(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_digit(s.p[i]))
            return false;
    return s.n > 0;
}

enum walk_result access_act(struct walk *w, slice value, const char *table, slice about, const char *what)
{
    slice rest = slice_trim(value), word = S("");
    struct restriction_list list;
    enum walk_result result;
    struct err err;

    if (!cut_word(&rest, " \t", &word))
        return walk_misconfigured(w, "table %s: empty result for %.*s", table, S_ARG(about));
    rest = slice_trim(rest);
    if (slice_eq_case(word, S("DUNNO")))
        return WALK_ON;
    if (slice_eq_case(word, S("OK")) || (all_digits(word) && rest.n == 0 && !is_refusal(word)))
        return WALK_PERMIT;
    if (is_refusal(word))
        return act_refuse(w, word, rest, about, what);
    if (act_aside(w, word, rest, about, what, &result))
        return result;
    if (!restriction_list_parse(w->policy, value, &list, &err))
        return walk_misconfigured(w, "table %s: %s", table, err.text);
    return restriction_list_walk(w, &list);
}

static enum table_got look(struct walk *w, struct table *t, slice key, slice about, const char *what,
                           enum walk_result *result)
{
    AUTO_BUF struct buf value = BUF_INIT(4096);
    struct err err;
    enum table_got got = table_get(t, key, w->question->by, &value, &err);

    if (got == TABLE_FOUND)
        *result = access_act(w, buf_slice(&value), table_name(t), about, what);
    else if (got == TABLE_FAILED)
        *result = walk_trouble(w, about, what, &err);
    return got;
}

enum walk_result access_check_domain(struct walk *w, struct table *t, slice name, slice about, const char *what)
{
    enum walk_result result = WALK_ON;
    slice rest = name;

    while (rest.n > 0) {
        size_t dot;

        if (look(w, t, rest, about, what, &result) != TABLE_NOT_FOUND)
            return result;
        dot = table_is_pattern(t) ? SLICE_NONE : slice_find(slice_skip(rest, 1), '.');
        if (dot == SLICE_NONE)
            break;
        rest = slice_skip(rest, dot + 2);
    }
    return WALK_ON;
}

/* 192.0.2.1, 192.0.2, 192.0, 192 (and the same by colons). */
static enum walk_result check_address(struct walk *w, struct table *t, slice address, slice about, const char *what)
{
    enum walk_result result = WALK_ON;
    char separator = slice_find(address, ':') != SLICE_NONE ? ':' : '.';

    while (address.n > 0) {
        size_t cut;

        if (look(w, t, address, about, what, &result) != TABLE_NOT_FOUND)
            return result;
        cut = table_is_pattern(t) ? SLICE_NONE : slice_find_last(address, separator);
        if (cut == SLICE_NONE)
            break;
        address = slice_head(address, cut);
        while (address.n > 0 && address.p[address.n - 1] == ':')
            address.n--;
    }
    return WALK_ON;
}

enum walk_result access_check_host(struct walk *w, struct table *t, slice name, slice address, slice about,
                                   const char *what)
{
    enum walk_result result = access_check_domain(w, t, name, about, what);
    size_t notes = w->tail == &w->answer.notes ? 0 : 1;

    return result != WALK_ON || notes > 0 ? result : check_address(w, t, address, about, what);
}

/* user@domain, domain and its parents, user@. */
enum walk_result access_check_mail(struct walk *w, struct table *t, slice address, slice about, const char *what)
{
    AUTO_BUF struct buf key = BUF_INIT(1000);
    enum walk_result result = WALK_ON;
    slice local, domain, base, extension;
    struct policy_note **before = w->tail;

    if (look(w, t, address, about, what, &result) != TABLE_NOT_FOUND || table_is_pattern(t))
        return result;
    address_split(address, &local, &domain);
    address_split_extension(local, slice_text(w->policy->params->recipient_delimiter), &base, &extension);
    if (extension.n > 0 && domain.n > 0) {
        (void)buf_addf(&key, "%.*s@%.*s", S_ARG(base), S_ARG(domain));
        if (look(w, t, buf_slice(&key), about, what, &result) != TABLE_NOT_FOUND)
            return result;
    }
    if (domain.n > 0) {
        result = access_check_domain(w, t, domain, about, what);
        if (result != WALK_ON || w->tail != before)
            return result;
    }
    buf_clear(&key);
    (void)buf_addf(&key, "%.*s@", S_ARG(local));
    (void)look(w, t, buf_slice(&key), about, what, &result);
    return result;
}
