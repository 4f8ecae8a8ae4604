#include "report/bounce/template.h"

#include <stdio.h>

#include "core/base/attributes.h"
#include "core/base/clock.h"
#include "core/base/cut.h"

const char *template_kind_name(enum template_kind kind)
{
    static const char *const names[TEMPLATE_KINDS] = {"failure", "delay", "success", "verify"};

    return names[kind];
}

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

/* Is NAME a time US, not 0, that is less than one of its unit? */
static bool is_zero(slice name, slice stem, int64_t us, slice *unit)
{
    slice rest = name;

    if (us == 0 || !cut_prefix(&rest, stem))
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (slice_eq(rest, units[i].name) && us / SECONDS(1) / units[i].seconds == 0) {
            *unit = rest;
            return true;
        }
    return false;
}

bool template_has_zero(const struct template *t, const struct params *p, slice *name, slice *unit)
{
    slice s = t->text, plain;

    while (cut_until(&s, '$', &plain)) {
        if (!cut_char(&s, '{'))
            (void)cut_char(&s, '(');
        if (cut_while(&s, is_name_byte, name) &&
            (is_zero(*name, S("delay_warning_time_"), p->delay_warning_time_us, unit) ||
             is_zero(*name, S("maximal_queue_lifetime_"), p->maximal_queue_lifetime_us, unit)))
            return true;
    }
    return false;
}

/* ---- files ---- */


/* One template of a file, as far as it has been looked at. */
struct reading {
    struct template of;
    size_t kind;
    const char *file;
    struct buf *warnings;
    bool bad; /* the one that was there before stays */
};

static void reject(struct reading *r, const char *what, slice label, const char *more)
{
    r->bad = true;
    (void)buf_addf(r->warnings, "%s: %s%s%.*s%s%s in %s template -- ignoring this template\n", r->file, what,
                   label.n > 0 ? " \"" : "", S_ARG(label), label.n > 0 ? "\" " : "", more, template_kind_name(r->kind));
}

static bool is_ascii(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 128)
            return false;
    return true;
}

/* False: no header, so the text begins here. */
static bool take_header(slice line, struct reading *r)
{
    struct {
        slice name;
        slice *to;
    } rows[] = {
        {S("Charset"), &r->of.charset},
        {S("From"), &r->of.from},
        {S("Subject"), &r->of.subject},
        {S("Postmaster-Subject"), &r->of.postmaster_subject},
    };
    bool for_postmaster = r->kind == TEMPLATE_FAILURE || r->kind == TEMPLATE_DELAY;
    slice label;

    if (!cut_until(&line, ':', &label) || label.n == 0 || slice_find(label, ' ') != SLICE_NONE)
        return false;
    line = slice_trim(line);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!slice_eq_case(label, rows[i].name))
            continue;
        if (line.n == 0)
            reject(r, "empty", label, "header value");
        else if (!is_ascii(line))
            reject(r, "non-ASCII", label, "header value");
        else if (rows[i].to == &r->of.postmaster_subject && !for_postmaster)
            reject(r, "inapplicable", label, "header label");
        *rows[i].to = line;
        return true;
    }
    reject(r, "unknown", label, "header label");
    return true;
}

static void check_text(struct reading *r)
{
    if (r->of.text.n == 0) {
        reject(r, "missing message text", S(""), "");
    } else if (!is_ascii(r->of.text) && slice_eq_case(r->of.charset, S("us-ascii"))) {
        r->bad = true;
        (void)buf_addf(r->warnings,
                       "%s: 8-bit message text in %s template\n"
                       "please specify a charset value other than us-ascii\n"
                       "-- ignoring this template for now\n",
                       r->file, template_kind_name(r->kind));
    }
}

/* BODY is what stands between the marks. */
static void take_template(slice body, struct reading *r)
{
    slice rest = body, line;

    while (!r->bad && cut_field(&rest, '\n', &line) && take_header(line, r))
        body = rest;
    /* One empty line parts headers and text. */
    rest = body;
    if (cut_field(&rest, '\n', &line) && slice_trim(line).n == 0)
        body = rest;
    r->of.text = body;
    if (!r->bad)
        check_text(r);
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

/* Cuts what stands before the line MARK off *TEXT; without one all of it.  *NUMBER counts lines. */
static slice cut_body(slice *text, slice mark, int *number, bool *ended)
{
    slice body = *text, line;

    *ended = false;
    while (!*ended && cut_field(text, '\n', &line)) {
        ++*number;
        *ended = slice_eq(slice_trim_end(line), mark);
        if (*ended)
            body.n = (size_t)(line.p - body.p);
    }
    return body;
}

void templates_parse(slice text, const char *file, struct templates *t, struct buf *warnings)
{
    struct reading r = {.file = file, .warnings = warnings};
    slice line, name, mark, body;
    int number = 1;
    bool ended;

    for (; cut_field(&text, '\n', &line); number++) {
        line = slice_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        mark = (slice){0};
        if (!cut_until(&line, '=', &name) || (mark = slice_trim(line), !cut_prefix(&mark, S("<<"))) ||
            (mark = slice_trim(mark)).n == 0) {
            (void)buf_addf(warnings, "%s, line %d: expected: name = <<mark -- ignoring this line\n", file, number);
            continue;
        }
        body = cut_body(&text, mark, &number, &ended);
        if (!ended)
            (void)buf_addf(warnings, "%s, line %d: missing \"%.*s\" end marker\n", file, number + 1, S_ARG(mark));
        if (!template_index(slice_trim(name), &r.kind)) {
            (void)buf_addf(warnings, "%s, line %d: unknown template name: %.*s -- ignoring this template\n", file,
                           number + 1, S_ARG(slice_trim(name)));
            continue;
        }
        r.of = t->of[r.kind];
        r.bad = false;
        take_template(body, &r);
        if (!r.bad)
            t->of[r.kind] = r.of;
    }
}

/* ---- showing ---- */

slice template_from(const struct template *t, const struct params *p)
{
    if (t->from.n > 0)
        return t->from;
    return strcmp(p->header_from_format, "obsolete") == 0 ? S("MAILER-DAEMON (Mail Delivery System)")
                                                          : S("Mail Delivery System <MAILER-DAEMON>");
}

static void print_whole(const struct template *t, const struct params *p, const char *name, struct buf *out)
{
    (void)buf_addf(out, "%s_template = <<EOF\nCharset: %.*s\nFrom: %.*s\nSubject: %.*s\n", name, S_ARG(t->charset),
                   S_ARG(template_from(t, p)), S_ARG(t->subject));
    if (t->postmaster_subject.n > 0)
        (void)buf_addf(out, "Postmaster-Subject: %.*s\n", S_ARG(t->postmaster_subject));
    (void)buf_addf(out, "\n%.*s", S_ARG(t->text));
}

bool templates_show(const struct templates *t, struct params *p, bool expanded)
{
    AUTO_BUF struct buf out = BUF_INIT(1 << 20);

    for (int kind = 0; kind < TEMPLATE_KINDS; kind++) {
        const char *name = template_kind_name((enum template_kind)kind);

        (void)buf_add_text(&out, kind > 0 ? "\n" : "");
        if (expanded) {
            (void)buf_addf(&out, "expanded_%s_text = <<EOF\n", name);
            (void)template_expand(&t->of[kind], p, &out);
        } else {
            print_whole(&t->of[kind], p, name, &out);
        }
        (void)buf_add_text(&out, "EOF\n");
    }
    return !out.overflow && fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
}
