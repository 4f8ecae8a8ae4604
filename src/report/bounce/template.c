#include "report/bounce/template.h"

#include "core/base/attributes.h"
#include "core/base/clock.h"
#include "core/base/cut.h"

#define SIGNATURE "\n                   The mail system\n"

static const struct template built_in[TEMPLATE_KINDS] = {
    [TEMPLATE_FAILURE] = {S_INIT("us-ascii"), S_INIT(""), S_INIT("Undelivered Mail Returned to Sender"),
                          S_INIT("Postmaster Copy: Undelivered Mail"),
                          S_INIT("This is the mail system at host $myhostname.\n"
                                 "\n"
                                 "Your message has not reached the recipients that are listed below,\n"
                                 "and it will not be tried again. It is attached to this report.\n"
                                 "\n"
                                 "If you need help, please write to postmaster and enclose this report;\n"
                                 "the text of your own message may be left out.\n" SIGNATURE)},
    [TEMPLATE_DELAY] = {S_INIT("us-ascii"), S_INIT(""), S_INIT("Delayed Mail (still being retried)"),
                        S_INIT("Postmaster Warning: Delayed Mail"),
                        S_INIT("This is the mail system at host $myhostname.\n"
                               "\n"
                               "THIS IS ONLY A WARNING: there is no need to send your message again.\n"
                               "\n"
                               "Your message has been waiting for more than $delay_warning_time_words for the\n"
                               "recipients that are listed below. Delivery will be tried until the message\n"
                               "is $maximal_queue_lifetime_words old.\n"
                               "\n"
                               "If you need help, please write to postmaster and enclose this report.\n" SIGNATURE)},
    [TEMPLATE_SUCCESS] = {S_INIT("us-ascii"), S_INIT(""), S_INIT("Successful Mail Delivery Report"), S_INIT(""),
                          S_INIT("This is the mail system at host $myhostname.\n"
                                 "\n"
                                 "Your message has been handed over for the recipients that are listed\n"
                                 "below. Where it went into a mailbox this is the last you hear of it;\n"
                                 "where it went to another system, that one may still report an error.\n" SIGNATURE)},
    [TEMPLATE_VERIFY] = {S_INIT("us-ascii"), S_INIT(""), S_INIT("Mail Delivery Status Report"), S_INIT(""),
                         S_INIT("This is the mail system at host $myhostname.\n"
                                "\n"
                                "Below is the report on mail delivery that was asked for.\n" SIGNATURE)},
};

void templates_init(struct templates *t)
{
    for (size_t i = 0; i < TEMPLATE_KINDS; i++)
        t->of[i] = built_in[i];
}

/* ---- expansion ---- */

static const struct {
    slice name;
    int64_t seconds;
} units[] = {
    {S_INIT("seconds"), 1}, {S_INIT("minutes"), 60}, {S_INIT("hours"), 3600}, {S_INIT("days"), 86400}, {S_INIT("weeks"), 604800},
};

/* "4 hours", "1 day", "90 minutes". */
static void add_words(struct buf *out, int64_t seconds)
{
    size_t best = 0;

    for (size_t i = 0; i < COUNT_OF(units) - 1; i++)
        if (seconds >= units[i].seconds && seconds % units[i].seconds == 0)
            best = i;
    seconds /= units[best].seconds;
    (void)buf_addf(out, "%lld %.*s", (long long)seconds, (int)(units[best].name.n - (seconds == 1)), units[best].name.p);
}

static bool add_time(struct buf *out, slice name, slice stem, int64_t us)
{
    slice unit = name;

    if (!cut_prefix(&unit, stem))
        return false;
    if (slice_eq(unit, S("words"))) {
        add_words(out, us / SECONDS(1));
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (slice_eq(unit, units[i].name)) {
            (void)buf_addf(out, "%lld", (long long)(us / SECONDS(1) / units[i].seconds));
            return true;
        }
    }
    return false;
}

static void add_name(struct buf *out, slice name, struct params *p)
{
    const char *value;

    if (add_time(out, name, S("delay_warning_time_"), p->delay_warning_time_us) ||
        add_time(out, name, S("maximal_queue_lifetime_"), p->maximal_queue_lifetime_us))
        return;
    value = params_get(p, name);
    if (value != NULL)
        (void)buf_add_text(out, value);
}

static bool is_name_byte(char c)
{
    return ascii_is_alnum(c) || c == '_';
}

/* "$name", "${name}", "$(name)"; S is behind the dollar. */
static void expand_one(slice *s, struct params *p, struct buf *out)
{
    slice name;
    char closing = 0;

    if (cut_char(s, '$')) {
        (void)buf_add_char(out, '$');
        return;
    }
    if (cut_char(s, '{'))
        closing = '}';
    else if (cut_char(s, '('))
        closing = ')';
    if (!cut_while(s, is_name_byte, &name)) {
        (void)buf_add_char(out, '$');
        return;
    }
    if (closing != 0)
        (void)cut_char(s, closing);
    add_name(out, name, p);
}

bool template_expand(const struct template *t, struct params *p, struct buf *out)
{
    slice s = t->text, plain;

    while (cut_until(&s, '$', &plain)) {
        (void)buf_add(out, plain);
        expand_one(&s, p, out);
    }
    (void)buf_add(out, s);
    return !out->overflow;
}

/* ---- files ---- */

static bool take_header(slice line, struct template *t)
{
    struct {
        slice name;
        slice *to;
    } rows[] = {
        {S("charset:"), &t->charset},
        {S("from:"), &t->from},
        {S("subject:"), &t->subject},
        {S("postmaster-subject:"), &t->postmaster_subject},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (cut_prefix_case(&line, rows[i].name)) {
            *rows[i].to = slice_trim(line);
            return true;
        }
    }
    return false;
}

/* BODY is what stands between the marks. */
static void take_template(slice body, struct template *t)
{
    slice rest = body, line;

    while (cut_field(&rest, '\n', &line) && take_header(line, t))
        body = rest;
    /* One empty line parts headers and text. */
    rest = body;
    if (cut_field(&rest, '\n', &line) && slice_trim(line).n == 0)
        body = rest;
    t->text = body;
}

static bool template_index(slice name, size_t *index)
{
    static const slice names[TEMPLATE_KINDS] = {S_INIT("failure_template"), S_INIT("delay_template"),
                                                S_INIT("success_template"), S_INIT("verify_template")};

    for (size_t i = 0; i < TEMPLATE_KINDS; i++) {
        if (slice_eq(name, names[i])) {
            *index = i;
            return true;
        }
    }
    return false;
}

bool templates_parse(slice text, struct templates *t, struct err *err)
{
    struct templates read = *t;
    slice line, name;
    int number = 0;

    while (cut_field(&text, '\n', &line)) {
        slice body = text, mark, each = {0};
        size_t index = 0;

        number++;
        line = slice_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (!cut_until(&line, '=', &name) || !template_index(slice_trim(name), &index))
            return err_set(err, ERR_SYNTAX, "line %d: unknown template name", number);
        mark = slice_trim(line);
        if (!cut_prefix(&mark, S("<<")) || mark.n == 0)
            return err_set(err, ERR_SYNTAX, "line %d: expected \"<<\" and an end mark", number);
        for (;;) {
            if (!cut_field(&text, '\n', &each))
                return err_set(err, ERR_SYNTAX, "no line \"%.*s\" ends the template of line %d", S_ARG(mark), number);
            if (slice_eq(slice_trim_end(each), mark))
                break;
        }
        take_template(slice_of(body.p, (size_t)(each.p - body.p)), &read.of[index]);
        for (size_t i = 0; i < (size_t)(text.p - body.p); i++)
            number += body.p[i] == '\n';
    }
    *t = read;
    return true;
}
