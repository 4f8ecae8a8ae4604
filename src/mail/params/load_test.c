/* Values that cannot be used end the program with the parameter's name; good ones arrive in their fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/attributes.h"
#include "mail/params/params.h"

static char directory[] = "/tmp/params-test.XXXXXX";

static struct params *load(const char *line, struct err *err)
{
    char path[100];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/main.cf", directory);
    f = fopen(path, "w");
    assert_non_null(f);
    (void)fprintf(f, "myhostname = mx.example\n%s\n", line);
    assert_int_equal(fclose(f), 0);
    return params_load(directory, NULL, NULL, 0, err);
}

static void test_bad_values(void **state)
{
    static const struct {
        const char *line, *named;
    } rows[] = {
        {"queue_run_delay = 3x", "queue_run_delay"},
        {"smtpd_timeout = ${x", "smtpd_timeout"},
        {"smtpd_helo_required = maybe", "smtpd_helo_required"},
        {"message_size_limit = a", "message_size_limit"},
        {"smtpd_recipient_limit = 10q", "smtpd_recipient_limit"},
        {"line_length_limit = 1", "invalid line_length_limit parameter value 1 < 512"},
        {"delay_logging_resolution_limit = 7", "invalid delay_logging_resolution_limit parameter value 7 > 6"},
        {"myhostname = a..b", "parameter myhostname: bad parameter value: a..b"},
        {"myhostname = -a.b", "myhostname"},
        {"myhostname = a.b.", "myhostname"},
        {"myhostname = 1.2.3.4", "myhostname"},
        {"myhostname = a b", "myhostname"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = {0};
        struct params *p = load(rows[i].line, &err);

        if (p != NULL)
            fail_msg("taken: %s", rows[i].line);
        assert_non_null(strstr(err.text, rows[i].named));
    }
}

static void test_good_values(void **state)
{
    struct err err;
    struct params *p = load("queue_run_delay = 2h\nsmtpd_recipient_limit = ${stress?{1}:{20}}\nmydestination = $myhostname, x", &err);

    (void)state;
    assert_non_null(p);
    assert_int_equal(p->queue_run_delay_us, (int64_t)7200 * 1000000);
    assert_int_equal(p->smtpd_recipient_limit, 20);
    assert_string_equal(p->mydestination, "mx.example, x");
    params_free(p);
}

/* myorigin may name a file, as in Debian. */
static void test_origin_file(void **state)
{
    static const struct {
        const char *content, *origin, *error;
    } rows[] = {
        {"one.example\n", "one.example", ""},
        {"  one.example \ntwo.example\n", "one.example", ""},
        {"one.example", "one.example", ""},
        {"\ntwo.example\n", NULL, "is empty"},
        {"", NULL, "is empty"},
        {"# x\none.example\n", NULL, "myorigin parameter setting must not contain multiple values: # x"},
    };
    char path[100], line[200];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/mailname", directory);
    (void)snprintf(line, sizeof line, "myorigin = %s", path);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = {0};
        FILE *f = fopen(path, "w");
        struct params *p;

        assert_non_null(f);
        (void)fputs(rows[i].content, f);
        assert_int_equal(fclose(f), 0);
        p = load(line, &err);
        assert_non_null(strstr(err.text, rows[i].error));
        if (rows[i].origin == NULL)
            assert_null(p);
        else
            assert_string_equal(p->myorigin, rows[i].origin);
        params_free(p);
    }
    assert_int_equal(unlink(path), 0);
}

/* A command gets what main.cf gives and what it needs; the rest is not worked out. */
static void test_for_command(void **state)
{
    struct err err;
    struct params *p = load("smtpd_recipient_limit = ${stress?{1}:{20}}\nmydestination = $myhostname, x", &err);

    (void)state;
    assert_non_null(p);
    params_free(p);
    p = params_load_for_command(directory, &err);
    assert_non_null(p);
    assert_string_equal(p->myhostname, "mx.example");
    assert_string_equal(p->myorigin, "mx.example");
    assert_string_equal(p->syslog_name, "postfix");
    assert_string_equal(p->config_directory, directory);
    assert_string_equal(p->queue_directory, "/var/spool/postfix");
    assert_int_equal(p->smtpd_recipient_limit, 20);
    assert_string_equal(p->mydestination, "mx.example, x");
    assert_null(p->mynetworks);
    assert_null(p->relay_domains);
    params_free(p);
    assert_null(load("ipc_timeout = 3x", &err));
    assert_null(params_load_for_command(directory, &err));
}

/* What is wrong with a parameter that others use stops nobody but them. */
static void test_whose_affair(void **state)
{
    static const char text[] = "smtpd_timeout = ${stress?3x}x\nsmtp_tls_ciphers = $nosuch{\nlmtp_connect_timeout = 5s";
    struct params *p;
    struct err err;

    (void)state;
    assert_null(load(text, &err));
    assert_null(params_load(directory, "smtpd", NULL, 0, &err));
    p = params_load(directory, "qmgr", NULL, 0, &err);
    assert_non_null(p);
    assert_int_equal(p->smtpd_timeout_us, 300000000);
    assert_string_equal(params_get(p, S("smtpd_timeout")), "300s");
    params_free(p);
    p = params_load_for_command(directory, &err);
    assert_non_null(p);
    params_free(p);
    assert_null(load("queue_run_delay = 3x", &err));
    assert_null(params_load(directory, "smtpd", NULL, 0, &err));
    p = params_load_for_command(directory, &err);
    assert_non_null(p);
    params_free(p);
}

static int enter(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL;
}

static int leave(void **state)
{
    char path[100];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/main.cf", directory);
    return unlink(path) != 0 || rmdir(directory) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bad_values), cmocka_unit_test(test_good_values),
                                        cmocka_unit_test(test_origin_file), cmocka_unit_test(test_for_command),
                                        cmocka_unit_test(test_whose_affair)};

    return cmocka_run_group_tests(tests, enter, leave);
}
