#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "core/conf/master_cf.h"

struct bad_row {
    const char *name, *text, *error;
};

static const struct bad_row bad[] = {
    {"no command", "smtp inet n - n - -\n", "m.cf: line 1: missing \"command\" field"},
    {"nothing but a name", "# x\nsmtp\n", "m.cf: line 2: missing \"transport type\" field"},
    {"type", "smtp tcp n - n - - smtpd\n", "m.cf: line 1: bad transport type: tcp"},
    {"private", "smtp inet x - n - - smtpd\n", "m.cf: line 1: field \"private\": bad value: \"x\""},
    {"private inet", "smtp inet - - n - - smtpd\n", "m.cf: line 1: inet service cannot be private"},
    {"unprivileged", "s unix n x n - - smtpd\n", "m.cf: line 1: field \"unprivileged\": bad value: \"x\""},
    {"chroot", "s unix n - x - - smtpd\n", "m.cf: line 1: field \"chroot\": bad value: \"x\""},
    {"wakeup", "s unix n - n x - smtpd\n", "m.cf: line 1: field \"wakeup_time\": bad value: \"x\""},
    {"wakeup below zero", "s unix n - n -2 - smtpd\n", "m.cf: line 1: field \"wakeup_time\": bad value: \"-2\""},
    {"processes", "s unix n - n - -1 smtpd\n", "m.cf: line 1: field \"max_proc\": bad value: \"-1\""},
    {"open brace", "s unix n - n - - smtpd -o {c = d\n", "m.cf: line 1: missing '}' in \"{c = d\""},
    {"after a brace", "s unix n - n - - smtpd -o {c = d}x y\n", "m.cf: line 1: syntax error after '}' in \"{c = d}x y\""},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct master_conf m;
        struct err err;

        if (master_conf_parse(&m, "m.cf", slice_text(bad[i].text), &err))
            fail_msg("%s: accepted", bad[i].name);
        if (strcmp(err.text, bad[i].error) != 0)
            fail_msg("%s: says %s", bad[i].name, err.text);
        assert_null(m.rows);
    }
}

static const char good[] = "# comment\n"
                           "smtp      inet  n - y - - smtpd\n"
                           "  -o a=b\n"
                           "# in between\n"
                           "  -o { c = d e } -v x -o no=no\n"
                           "pickup    fifo  n - n 60? 1 pickup\n"
                           "postlog   unix-dgram n y - 0 0 postlogd\n"
                           "pickup    fifo  n - n 61 1 pickup -v\n"
                           "p         unix  - n n - - pipe flags=R argv=/bin/x ${recipient}\n";

static void test_good(void **state)
{
    const struct master_row *r;
    struct master_conf m;
    struct err err;

    (void)state;
    assert_true(master_conf_parse(&m, "m.cf", slice_text(good), &err));
    assert_int_equal(m.count, 4);
    r = master_conf_find(&m, S("smtp"), MASTER_INET);
    assert_int_equal(r->is_private, MASTER_NO);
    assert_int_equal(r->unprivileged, MASTER_DEFAULT);
    assert_int_equal(r->chroot, MASTER_YES);
    assert_int_equal(r->process_limit, -1);
    assert_int_equal(r->line, 2);
    assert_int_equal(r->argc, 8);
    assert_string_equal(r->argv[3], "c = d e");
    assert_null(r->argv[8]);
    r = master_conf_find(&m, S("pickup"), MASTER_FIFO);
    assert_int_equal(r->wakeup_seconds, 61);
    assert_false(r->wakeup_if_used);
    assert_int_equal(r->process_limit, 1);
    assert_string_equal(r->argv[0], "-v");
    assert_non_null(strstr(buf_text(&m.warnings), "duplicate master.cf entry for service \"pickup\" (fifo)"));
    assert_int_equal(master_conf_find(&m, S("postlog"), MASTER_DGRAM)->process_limit, 0);
    assert_null(master_conf_find(&m, S("smtp"), MASTER_UNIX));
    master_conf_done(&m);
}

static void test_overrides(void **state)
{
    slice name, value;
    struct master_conf m;
    struct err err;
    int at = 0, argument;

    (void)state;
    assert_true(master_conf_parse(&m, "m.cf", S("s unix - - - - - x -oa=b -vo {c = d e} -v -o nothing y -o no=no\n"), &err));
    assert_true(master_row_overrides(&m.rows[0], &at, &name, &value, &argument));
    assert_true(slice_eq(name, S("a")) && slice_eq(value, S("b")) && argument == 0);
    assert_true(master_row_overrides(&m.rows[0], &at, &name, &value, &argument));
    assert_true(slice_eq(name, S("c")) && slice_eq(value, S("d e")) && argument == 2);
    assert_true(master_row_overrides(&m.rows[0], &at, &name, &value, &argument));
    assert_true(slice_eq(name, S("nothing")) && value.n == 0);
    assert_false(master_row_overrides(&m.rows[0], &at, &name, &value, &argument));
    master_conf_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_overrides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
