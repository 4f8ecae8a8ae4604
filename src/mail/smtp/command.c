#include "mail/smtp/command.h"

#include "core/base/attributes.h"
#include "core/base/cut.h"
#include "mail/envelope/recipient.h"
#include "mail/syntax/xtext.h"

static const char blanks[] = " \t";

const char *parameter_fault_reply(enum parameter_fault fault)
{
    switch (fault) {
    case PARAMETER_SIZE:
        return "501 5.5.4 Bad message size syntax";
    case PARAMETER_TOO_BIG:
        return "552 5.3.4 Message size exceeds file system imposed limit";
    case PARAMETER_RET:
        return "501 5.5.4 Bad RET parameter syntax";
    case PARAMETER_ENVID:
        return "501 5.5.4 Bad ENVID parameter syntax";
    case PARAMETER_NOTIFY:
        return "501 5.5.4 Error: Bad NOTIFY parameter syntax";
    case PARAMETER_ORCPT:
        return "501 5.5.4 Error: Bad ORCPT parameter syntax";
    case PARAMETER_DSN_OFF:
        return "501 5.7.1 DSN support is disabled";
    default:
        return NULL;
    }
}

/* The next word; blanks in quotes are part of it. */
static bool cut_parameter(slice *rest, slice *word)
{
    slice text = *rest;
    bool quoted = false;
    size_t n = 0;

    cut_blanks(&text);
    while (n < text.n && (quoted || (text.p[n] != ' ' && text.p[n] != '\t'))) {
        quoted = quoted != (text.p[n] == '"');
        n++;
    }
    if (n == 0)
        return false;
    *word = slice_head(text, n);
    *rest = slice_skip(text, n);
    return true;
}

static enum parameter_fault parse_size(slice digits, int64_t *size)
{
    slice rest = digits;
    int64_t n;

    for (size_t i = 0; i < digits.n; i++)
        if (!ascii_is_digit(digits.p[i]))
            return PARAMETER_SIZE;
    if (digits.n == 0)
        return PARAMETER_SIZE;
    if (!cut_u63(&rest, &n))
        return PARAMETER_TOO_BIG;
    *size = n;
    return PARAMETER_GOOD;
}

/* What DECODED has got from START on, up to a NUL. */
static slice decoded_from(const struct buf *decoded, size_t start)
{
    slice text = slice_skip(buf_slice(decoded), start);
    size_t nul = slice_find(text, '\0');

    return nul == SLICE_NONE ? text : slice_head(text, nul);
}

static bool is_printable(slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!ascii_is_print(text.p[i]))
            return false;
    return true;
}

/* Slices into DECODED are made at the end, since it may move while it grows. */
struct span {
    size_t start, n;
};

static bool decode(slice coded, struct buf *decoded, struct span *out)
{
    size_t start = decoded->n;

    if (!xtext_decode(coded, decoded))
        return false;
    *out = (struct span){start, decoded_from(decoded, start).n};
    return true;
}

static enum parameter_fault dsn_of_mail(slice name, slice value, struct buf *decoded, struct mail_parameters *out,
                                        struct span *envelope_id)
{
    struct span id;

    if (slice_eq_case(name, S("RET"))) {
        if (out->ret != RET_NONE || ret_parse(value) == RET_NONE)
            return PARAMETER_RET;
        out->ret = ret_parse(value);
        return PARAMETER_GOOD;
    }
    if (envelope_id->n > 0 || !decode(value, decoded, &id) || id.n == 0 || !is_printable(decoded_from(decoded, id.start)))
        return PARAMETER_ENVID;
    *envelope_id = id;
    return PARAMETER_GOOD;
}

static enum parameter_fault mail_parameter(slice word, const struct parameter_rules *rules, struct buf *decoded,
                                           struct mail_parameters *out, struct span *envelope_id)
{
    slice value = word, name;

    if (slice_eq_case(word, S("SMTPUTF8")) && rules->smtputf8) {
        out->smtputf8 = true;
        return PARAMETER_GOOD;
    }
    if (slice_eq_case(word, S("XVERP")) && rules->verp) {
        out->verp = true;
        return PARAMETER_GOOD;
    }
    if (!cut_until(&value, '=', &name))
        return PARAMETER_UNSUPPORTED;
    if (slice_eq_case(name, S("XVERP")) && rules->verp) {
        out->verp = true;
        out->verp_delimiters = value;
        return PARAMETER_GOOD;
    }
    if (slice_eq_case(name, S("SIZE")))
        return parse_size(value, &out->size);
    if (slice_eq_case(name, S("AUTH"))) {
        out->auth = slice_eq(value, S("<>")) ? (slice){0} : value;
        return PARAMETER_GOOD;
    }
    if (slice_eq_case(word, S("BODY=8BITMIME")) || slice_eq_case(word, S("BODY=7BIT"))) {
        out->encoding = ascii_is_digit(value.p[0]) && value.p[0] == '8' ? S("8bit") : S("7bit");
        return PARAMETER_GOOD;
    }
    if (!slice_eq_case(name, S("RET")) && !slice_eq_case(name, S("ENVID")))
        return PARAMETER_UNSUPPORTED;
    return rules->dsn ? dsn_of_mail(name, value, decoded, out, envelope_id) : PARAMETER_DSN_OFF;
}

enum parameter_fault mail_parameters_parse(slice text, const struct parameter_rules *rules, struct buf *decoded,
                                           struct mail_parameters *out, slice *culprit)
{
    struct mail_parameters found = {.encoding = S("")};
    struct span id = {0};
    slice word;

    while (cut_parameter(&text, &word)) {
        enum parameter_fault fault = mail_parameter(word, rules, decoded, &found, &id);

        if (fault != PARAMETER_GOOD) {
            *culprit = word;
            return fault;
        }
    }
    found.envelope_id = slice_head(slice_skip(buf_slice(decoded), id.start), id.n);
    *out = found;
    return PARAMETER_GOOD;
}

bool parameters_say_smtputf8(slice text)
{
    slice word;

    while (cut_parameter(&text, &word))
        if (slice_eq_case(word, S("SMTPUTF8")))
            return true;
    return false;
}

/* "type;address": the address is xtext, or what RFC 6533 has for addresses beyond ASCII. */
static enum parameter_fault parse_orcpt(slice value, struct buf *decoded, struct span *out)
{
    size_t start = decoded->n;
    slice type, rest = value;
    bool good;

    if (!cut_until(&rest, ';', &type) || type.n == 0 || !buf_add(decoded, type) || !buf_add_char(decoded, ';'))
        return PARAMETER_ORCPT;
    good = slice_eq_case(type, S("utf-8")) ? uxtext_decode(rest, decoded) : xtext_decode(rest, decoded);
    if (!good)
        return PARAMETER_ORCPT;
    *out = (struct span){start, decoded_from(decoded, start).n};
    return PARAMETER_GOOD;
}

static enum parameter_fault rcpt_parameter(slice word, const struct parameter_rules *rules, struct buf *decoded,
                                           struct rcpt_parameters *out, struct span *orcpt, slice *unknown)
{
    slice value = word, name;
    bool notify;

    *unknown = word;
    if (!cut_until(&value, '=', &name))
        return PARAMETER_UNSUPPORTED;
    notify = slice_eq_case(name, S("NOTIFY"));
    if (!notify && !slice_eq_case(name, S("ORCPT")))
        return PARAMETER_UNSUPPORTED;
    if (!rules->dsn)
        return PARAMETER_DSN_OFF;
    if (!notify)
        return orcpt->n > 0 ? PARAMETER_ORCPT : parse_orcpt(value, decoded, orcpt);
    *unknown = S("");
    if (out->notify != NOTIFY_NONE)
        return PARAMETER_NOTIFY;
    out->notify = notify_parse(value, unknown);
    return out->notify == NOTIFY_NONE ? PARAMETER_NOTIFY : PARAMETER_GOOD;
}

enum parameter_fault rcpt_parameters_parse(slice text, const struct parameter_rules *rules, struct buf *decoded,
                                           struct rcpt_parameters *out, slice *culprit, slice *whole)
{
    struct rcpt_parameters found = {0};
    struct span orcpt = {0};
    slice word;

    while (cut_parameter(&text, &word)) {
        slice unknown;
        enum parameter_fault fault = rcpt_parameter(word, rules, decoded, &found, &orcpt, &unknown);

        if (fault != PARAMETER_GOOD) {
            size_t equals = slice_find(word, '=');

            *culprit = unknown;
            *whole = equals == SLICE_NONE ? S("") : slice_skip(word, equals + 1);
            return fault;
        }
    }
    found.orcpt = slice_head(slice_skip(buf_slice(decoded), orcpt.start), orcpt.n);
    *out = found;
    return PARAMETER_GOOD;
}

bool bdat_parse(slice text, int64_t *bytes, bool *last)
{
    slice count, word, rest;
    int64_t n;
    bool is_last = false;

    if (!cut_word(&text, blanks, &count))
        return false;
    rest = count;
    if (!cut_u63(&rest, &n) || rest.n > 0)
        return false;
    if (cut_word(&text, blanks, &word)) {
        is_last = slice_eq_case(word, S("LAST"));
        if (!is_last || cut_word(&text, blanks, &word))
            return false;
    }
    *bytes = n;
    *last = is_last;
    return true;
}

bool cut_proxy_attribute(slice *rest, slice *name, slice *value)
{
    slice after = *rest, word, left;

    if (!cut_word(&after, blanks, &word))
        return false;
    if (!cut_until(&word, '=', &left) || left.n == 0 || word.n == 0)
        return false;
    *name = left;
    *value = word;
    *rest = after;
    return true;
}
