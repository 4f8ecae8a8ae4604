#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/attributes.h"
#include "mail/envelope/recipient.h"
#include "mail/smtp/command.h"

static const struct parameter_rules all = {.dsn = true, .smtputf8 = true}, none = {0};

static const struct mail_row {
    const char *name;
    slice text;
    const struct parameter_rules *rules;
    enum parameter_fault fault;
    struct mail_parameters expect;
} mail_rows[] = {
    {"nothing", S_INIT(""), &all, PARAMETER_GOOD, {.encoding = S_INIT("")}},
    {"size", S_INIT(" SIZE=7"), &all, PARAMETER_GOOD, {.size = 7}},
    {"no size", S_INIT("SIZE="), &all, PARAMETER_SIZE, {0}},
    {"no number", S_INIT("SIZE=7x"), &all, PARAMETER_SIZE, {0}},
    {"beyond all files", S_INIT("SIZE=99999999999999999999"), &all, PARAMETER_TOO_BIG, {0}},
    {"eight bits", S_INIT("body=8bitmime"), &all, PARAMETER_GOOD, {.encoding = S_INIT("8bit")}},
    {"binary", S_INIT("BODY=BINARYMIME"), &all, PARAMETER_UNSUPPORTED, {0}},
    {"ret", S_INIT("RET=hdrs"), &all, PARAMETER_GOOD, {.ret = RET_HEADERS}},
    {"ret twice", S_INIT("RET=HDRS RET=HDRS"), &all, PARAMETER_RET, {0}},
    {"envid", S_INIT("ENVID=a+2Bb"), &all, PARAMETER_GOOD, {.envelope_id = S_INIT("a+b")}},
    {"envid beyond ASCII", S_INIT("ENVID=a+FF"), &all, PARAMETER_ENVID, {0}},
    {"envid, cut", S_INIT("ENVID=a+2"), &all, PARAMETER_ENVID, {0}},
    {"dsn is off", S_INIT("ENVID=a"), &none, PARAMETER_DSN_OFF, {0}},
    {"auth", S_INIT("AUTH=a+40b"), &all, PARAMETER_GOOD, {.auth = S_INIT("a+40b")}},
    {"nobody's auth", S_INIT("AUTH=<>"), &all, PARAMETER_GOOD, {0}},
    {"utf8", S_INIT("SMTPUTF8\tSIZE=1"), &all, PARAMETER_GOOD, {.size = 1, .smtputf8 = true}},
    {"utf8 is off", S_INIT("SMTPUTF8"), &none, PARAMETER_UNSUPPORTED, {0}},
    {"utf8 with a value", S_INIT("SMTPUTF8=1"), &all, PARAMETER_UNSUPPORTED, {0}},
};

static void test_mail(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(mail_rows); i++) {
        const struct mail_row *row = &mail_rows[i];
        AUTO_BUF struct buf decoded = BUF_INIT(1000);
        struct mail_parameters got = {.size = -1};
        slice culprit;
        enum parameter_fault fault = mail_parameters_parse(row->text, row->rules, &decoded, &got, &culprit);

        if (fault != row->fault)
            fail_msg("%s: fault %d", row->name, fault);
        if (fault != PARAMETER_GOOD) {
            assert_int_equal(got.size, -1);
            continue;
        }
        if (got.size != row->expect.size || got.ret != row->expect.ret || got.smtputf8 != row->expect.smtputf8 ||
            !slice_eq(got.encoding, row->expect.encoding) || !slice_eq(got.envelope_id, row->expect.envelope_id) ||
            !slice_eq(got.auth, row->expect.auth))
            fail_msg("%s: other values", row->name);
    }
}

static const struct rcpt_row {
    const char *name;
    slice text;
    enum parameter_fault fault;
    struct rcpt_parameters expect;
    slice culprit;
} rcpt_rows[] = {
    {"two", S_INIT("NOTIFY=SUCCESS,delay"), PARAMETER_GOOD, {.notify = NOTIFY_SUCCESS | NOTIFY_DELAY}, {0}},
    {"never and more", S_INIT("NOTIFY=NEVER,DELAY"), PARAMETER_NOTIFY, {0}, S_INIT("")},
    {"an unknown one", S_INIT("NOTIFY=DELAY,X"), PARAMETER_NOTIFY, {0}, S_INIT("X")},
    {"twice", S_INIT("NOTIFY=DELAY NOTIFY=DELAY"), PARAMETER_NOTIFY, {0}, S_INIT("")},
    {"orcpt", S_INIT("ORCPT=rfc822;a+2Bb@c"), PARAMETER_GOOD, {.orcpt = S_INIT("rfc822;a+b@c")}, {0}},
    {"orcpt in quotes", S_INIT("ORCPT=rfc822;\"a b\"@c"), PARAMETER_GOOD, {.orcpt = S_INIT("rfc822;\"a b\"@c")}, {0}},
    {"orcpt in utf-8", S_INIT("ORCPT=utf-8;\\x{F3}"), PARAMETER_GOOD, {.orcpt = S_INIT("utf-8;\xc3\xb3")}, {0}},
    {"orcpt, no character", S_INIT("ORCPT=utf-8;\\x{110000}"), PARAMETER_ORCPT, {0}, S_INIT("ORCPT=utf-8;\\x{110000}")},
    {"orcpt without a type", S_INIT("ORCPT=;a"), PARAMETER_ORCPT, {0}, S_INIT("ORCPT=;a")},
    {"something else", S_INIT("SIZE=1"), PARAMETER_UNSUPPORTED, {0}, S_INIT("SIZE=1")},
};

static void test_rcpt(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rcpt_rows); i++) {
        const struct rcpt_row *row = &rcpt_rows[i];
        AUTO_BUF struct buf decoded = BUF_INIT(1000);
        struct rcpt_parameters got = {.notify = -1};
        slice culprit, whole;
        enum parameter_fault fault = rcpt_parameters_parse(row->text, &all, &decoded, &got, &culprit, &whole);

        if (fault != row->fault)
            fail_msg("%s: fault %d", row->name, fault);
        if (fault != PARAMETER_GOOD ? got.notify != -1 || !slice_eq(culprit, row->culprit)
                                    : got.notify != row->expect.notify || !slice_eq(got.orcpt, row->expect.orcpt))
            fail_msg("%s: other values", row->name);
    }
}

static void test_bdat(void **state)
{
    static const struct {
        slice text;
        bool good;
        int64_t bytes;
        bool last;
    } rows[] = {
        {S_INIT(" 7"), true, 7, false},    {S_INIT(" 7 last "), true, 7, true}, {S_INIT("0 LAST"), true, 0, true},
        {S_INIT(""), false, 0, false},     {S_INIT("LAST"), false, 0, false},   {S_INIT("-1"), false, 0, false},
        {S_INIT("1 FIRST"), false, 0, false}, {S_INIT("1 LAST x"), false, 0, false}, {S_INIT("99999999999999999999"), false, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t bytes = -1;
        bool last = false;

        if (bdat_parse(rows[i].text, &bytes, &last) != rows[i].good)
            fail_msg("%.*s", S_ARG(rows[i].text));
        assert_int_equal(bytes, rows[i].good ? rows[i].bytes : -1);
        assert_int_equal(last, rows[i].last);
    }
}

static void test_attributes(void **state)
{
    slice rest = S("NAME=a+20b  ADDR=c x"), name, value;

    (void)state;
    assert_true(cut_proxy_attribute(&rest, &name, &value));
    assert_true(slice_eq(name, S("NAME")) && slice_eq(value, S("a+20b")));
    assert_true(cut_proxy_attribute(&rest, &name, &value));
    assert_true(slice_eq(name, S("ADDR")) && slice_eq(value, S("c")));
    assert_false(cut_proxy_attribute(&rest, &name, &value));
    assert_true(slice_eq(slice_trim(rest), S("x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail),
        cmocka_unit_test(test_rcpt),
        cmocka_unit_test(test_bdat),
        cmocka_unit_test(test_attributes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
