#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/attributes.h"
#include "core/base/clock.h"
#include "report/bounce/template.h"

static struct params *params;

static int load(void **state)
{
    char folder[] = "/tmp/template-test.XXXXXX", path[64];
    struct err err;
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/main.cf", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("myhostname = mx.test.invalid\ndelay_warning_time = 4h\nmaximal_queue_lifetime = 5d\n", file);
    (void)fclose(file);
    params = params_load(folder, NULL, NULL, 0, &err);
    (void)unlink(path);
    (void)rmdir(folder);
    if (params == NULL)
        fail_msg("%s", err.text);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    params_free(params);
    return 0;
}

static void names(void **state)
{
    static const struct {
        const char *name;
        slice text, want;
    } rows[] = {
        {"plain", S_INIT("hello"), S_INIT("hello")},
        {"parameter", S_INIT("at $myhostname."), S_INIT("at mx.test.invalid.")},
        {"braces", S_INIT("${myhostname}x$(myhostname)"), S_INIT("mx.test.invalidxmx.test.invalid")},
        {"dollar", S_INIT("5$$"), S_INIT("5$")},
        {"lone dollar", S_INIT("5$ "), S_INIT("5$ ")},
        {"hours", S_INIT("$delay_warning_time_hours"), S_INIT("4")},
        {"minutes", S_INIT("$delay_warning_time_minutes"), S_INIT("240")},
        {"days rounded down", S_INIT("$delay_warning_time_days"), S_INIT("0")},
        {"words", S_INIT("$delay_warning_time_words, $maximal_queue_lifetime_words"), S_INIT("4 hours, 5 days")},
        {"nobody's", S_INIT("[$no_such_name]"), S_INIT("[]")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf out = BUF_INIT(1000);
        const struct template t = {.text = rows[i].text};

        assert_true(template_expand(&t, params, &out));
        if (!slice_eq(buf_slice(&out), rows[i].want))
            fail_msg("%s: \"%s\"", rows[i].name, buf_text(&out));
    }
}

static void built_in_texts_are_complete(void **state)
{
    struct templates t;

    (void)state;
    templates_init(&t);
    for (size_t i = 0; i < TEMPLATE_KINDS; i++) {
        AUTO_BUF struct buf out = BUF_INIT(10000);

        assert_true(t.of[i].subject.n > 0 && t.of[i].charset.n > 0);
        assert_true(template_expand(&t.of[i], params, &out));
        assert_true(slice_find(buf_slice(&out), '$') == SLICE_NONE);
        assert_true(slice_find_slice(buf_slice(&out), S("mx.test.invalid")) != SLICE_NONE);
    }
}

static void a_file(void **state)
{
    AUTO_BUF struct buf warnings = BUF_INIT(1000);
    struct templates t;

    (void)state;
    templates_init(&t);
    templates_parse(S("# ours\n\nfailure_template = <<EOF\nCharset: utf-8\nsubject: Back\n\nErste Zeile \xc3\xbc\n\n"
                      "EOF inside\nEOF\n\ndelay_template=<<STOP\nonly text\nSTOP\n"),
                    "f", &t, &warnings);
    assert_string_equal(buf_text(&warnings), "");
    assert_true(slice_eq(t.of[TEMPLATE_FAILURE].charset, S("utf-8")));
    assert_true(slice_eq(t.of[TEMPLATE_FAILURE].subject, S("Back")));
    assert_int_equal(t.of[TEMPLATE_FAILURE].from.n, 0);
    assert_true(slice_eq(t.of[TEMPLATE_FAILURE].text, S("Erste Zeile \xc3\xbc\n\nEOF inside\n")));
    assert_true(slice_eq(t.of[TEMPLATE_DELAY].text, S("only text\n")));
    assert_true(slice_eq(t.of[TEMPLATE_DELAY].subject, S("Delayed Mail (still being retried)")));
}

/* What is wrong with one template is no reason to do without the others. */
static void bad_templates(void **state)
{
    static const struct {
        const char *name;
        slice text;
        const char *warning;
        bool taken;
    } rows[] = {
        {"name", S_INIT("x_template = <<EOF\nEOF\nfailure_template = <<EOF\nMINE\nEOF\n"),
         "f, line 3: unknown template name: x_template -- ignoring this template\n", true},
        {"no mark", S_INIT("\nfailure_template = text\n"), "f, line 2: expected: name = <<mark -- ignoring this line\n",
         false},
        {"no end", S_INIT("failure_template = <<EOF\nMINE\n"), "f, line 3: missing \"EOF\" end marker\n", true},
        {"unknown header", S_INIT("failure_template = <<EOF\nFoo: bar\n\nMINE\nEOF\n"),
         "f: unknown \"Foo\" header label in failure template -- ignoring this template\n", false},
        {"header without value", S_INIT("failure_template = <<EOF\nSubject: \n\nMINE\nEOF\n"),
         "f: empty \"Subject\" header value in failure template -- ignoring this template\n", false},
        {"header beyond ASCII", S_INIT("failure_template = <<EOF\nSubject: \xc3\xbc\n\nMINE\nEOF\n"),
         "f: non-ASCII \"Subject\" header value in failure template -- ignoring this template\n", false},
        {"for nobody", S_INIT("success_template = <<EOF\nPostmaster-Subject: x\n\nMINE\nEOF\n"),
         "f: inapplicable \"Postmaster-Subject\" header label in success template -- ignoring this template\n", false},
        {"no text", S_INIT("failure_template = <<EOF\nSubject: x\n\nEOF\n"),
         "f: missing message text in failure template -- ignoring this template\n", false},
        {"charset", S_INIT("failure_template = <<EOF\nMINE \xc3\xbc\nEOF\n"),
         "f: 8-bit message text in failure template\nplease specify a charset value other than us-ascii\n"
         "-- ignoring this template for now\n",
         false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf warnings = BUF_INIT(1000);
        struct templates t;
        bool taken = false;

        templates_init(&t);
        templates_parse(rows[i].text, "f", &t, &warnings);
        assert_string_equal(buf_text(&warnings), rows[i].warning);
        for (size_t k = 0; k < TEMPLATE_KINDS; k++)
            taken = taken || slice_find_slice(t.of[k].text, S("MINE")) != SLICE_NONE;
        if (taken != rows[i].taken)
            fail_msg("%s: taken: %d", rows[i].name, taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(built_in_texts_are_complete),
        cmocka_unit_test(a_file),
        cmocka_unit_test(bad_templates),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
