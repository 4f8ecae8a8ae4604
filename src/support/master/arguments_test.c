#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/buf.h"
#include "support/master/master.h"

/* master.cf rows and the argv of fact sheet ipc.md section 2; the first is the walkthrough's. */
static const struct row {
    const char *line;
    size_t listeners;
    bool reachable;
    const char *level;
    const char *expect;
} rows[] = {
    {"smtp inet n - n - - smtpd", 1, true, "3.6", "smtpd -n smtp -t inet -u -o stress="},
    {"smtp inet n - n - - smtpd", 2, false, "3.6", "smtpd -n smtp -t inet -u -s 2"},
    {"cleanup unix n - n - 0 cleanup", 1, false, "3.6", "cleanup -z -t unix -u"},
    {"qmgr fifo n - n 300 1 qmgr", 1, false, "3.6", "qmgr -l -t fifo -u"},
    {"defer unix - - n - 0 bounce", 1, false, "3.6", "bounce -z -n defer -t unix -u"},
    {"rewrite unix - - n - - trivial-rewrite", 1, false, "3.6", "trivial-rewrite -n rewrite -t unix -u"},
    {"local unix - n n - - local", 1, false, "3.6", "local -t unix"},
    {"smtp unix - - y - - smtp", 1, false, "3.6", "smtp -t unix -u -c"},
    {"smtp unix - - - - - smtp", 1, false, "3.6", "smtp -t unix -u"},
    {"smtp unix - - - - - smtp", 1, false, "0", "smtp -t unix -u -c"},
    {"postlog unix-dgram n - n - 1 postlogd", 1, false, "3.6", "postlogd -l -n postlog -t unix-dgram -u"},
    {"relay unix - - n - - /x/y/smtp -o syslog_name=postfix/relay", 1, false, "3.6",
     "smtp -n relay -t unix -u -o syslog_name=postfix/relay"},
};

static void check(const struct row *row)
{
    struct params params = {.compatibility_level = row->level, .default_process_limit = 100};
    AUTO_BUF struct buf got = BUF_INIT(1000);
    struct child_arguments a;
    struct service_state s = {.listener_count = row->listeners, .reachable = row->reachable};
    struct master_conf conf;
    struct err err;

    master.params = &params;
    assert_true(master_conf_parse(&conf, "master.cf", slice_text(row->line), &err));
    assert_int_equal(conf.count, 1);
    s.row = conf.rows[0];
    s.process_limit = s.row.process_limit < 0 ? 100 : s.row.process_limit;
    child_arguments_make(&s, &a);
    for (size_t k = 0; k < a.count; k++)
        (void)buf_addf(&got, "%s%s", k > 0 ? " " : "", a.argv[k]);
    assert_null(a.argv[a.count]);
    child_arguments_done(&a);
    master_conf_done(&conf);
    if (strcmp(buf_text(&got), row->expect) != 0)
        fail_msg("%s: got \"%s\"", row->line, buf_text(&got));
}

static void test_arguments(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check(&rows[i]);
}

static void test_environment(void **state)
{
    struct params params = {.syslog_name = "postfix", .maillog_file = "",
                            .import_environment = "MAIL_CONFIG TZ LANG=C WAYBILL_TEST_UNSET"};
    char **list;

    (void)state;
    (void)unsetenv("TZ");
    list = environment_make(&params, "/etc/postfix");
    assert_string_equal(list[0], "MAIL_CONFIG=/etc/postfix");
    assert_string_equal(list[1], "MAIL_LOGTAG=postfix");
    assert_string_equal(list[2], "LANG=C");
    assert_null(list[3]);
    environment_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_arguments), cmocka_unit_test(test_environment)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
