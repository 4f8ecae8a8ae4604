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
    params = params_load(folder, NULL, 0, &err);
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
    struct templates t;
    struct err err;

    (void)state;
    templates_init(&t);
    assert_true(templates_parse(S("# ours\n\nfailure_template = <<EOF\nCharset: utf-8\nsubject: Zur\xc3\xbc"
                                  "ck\n\nFirst line\n\nEOF inside\nEOF\n\ndelay_template=<<STOP\nonly text\nSTOP\n"),
                                &t, &err));
    assert_true(slice_eq(t.of[TEMPLATE_FAILURE].charset, S("utf-8")));
    assert_true(slice_eq(t.of[TEMPLATE_FAILURE].subject, S("Zur\xc3\xbc"
                                                            "ck")));
    assert_int_equal(t.of[TEMPLATE_FAILURE].from.n, 0);
    assert_true(slice_eq(t.of[TEMPLATE_FAILURE].text, S("First line\n\nEOF inside\n")));
    assert_true(slice_eq(t.of[TEMPLATE_DELAY].text, S("only text\n")));
    assert_true(slice_eq(t.of[TEMPLATE_DELAY].subject, S("Delayed Mail (still being retried)")));
}

static void bad_files(void **state)
{
    static const struct {
        const char *name;
        slice text;
        const char *error;
    } rows[] = {
        {"unknown", S_INIT("x_template = <<EOF\nEOF\n"), "line 1: unknown template name"},
        {"no mark", S_INIT("\nfailure_template = text\n"), "line 2: expected \"<<\" and an end mark"},
        {"no end", S_INIT("\n\nfailure_template = <<EOF\ntext\n"), "no line \"EOF\" ends the template of line 3"},
        {"later line", S_INIT("failure_template = <<EOF\na\nEOF\nbad\n"), "line 4: unknown template name"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct templates t = {0};
        struct err err;

        if (templates_parse(rows[i].text, &t, &err))
            fail_msg("%s: taken", rows[i].name);
        assert_string_equal(err.text, rows[i].error);
        assert_int_equal(t.of[0].text.n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(built_in_texts_are_complete),
        cmocka_unit_test(a_file),
        cmocka_unit_test(bad_files),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
