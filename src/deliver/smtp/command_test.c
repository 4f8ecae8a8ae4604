#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "deliver/smtp/command.h"
#include "deliver/smtp/greet.h"

static const struct feature_row {
    const char *name, *reply;
    unsigned features;
    int64_t size_limit;
    const char *bad_size;
} feature_rows[] = {
    {"none", "250 mx.example", 0, 0, ""},
    {"all", "250-mx.example\n250-PIPELINING\n250-8BITMIME\n250-DSN\n250-SMTPUTF8\n250 SIZE 1000",
     HAS_PIPELINING | HAS_8BITMIME | HAS_DSN | HAS_SMTPUTF8 | HAS_SIZE, 1000, ""},
    {"any case", "250-mx\n250-pipelining\n250 size", HAS_PIPELINING | HAS_SIZE, 0, ""},
    {"a name that is a keyword", "250 PIPELINING", 0, 0, ""},
    {"one that we do not know", "250-mx\n250-HELP\n250 8BITMIME x", HAS_8BITMIME, 0, ""},
    {"a size that is none", "250-mx\n250 SIZE many", HAS_SIZE, 0, "many"},
    {"a huge size", "250-mx\n250 SIZE 99999999999999999999", HAS_SIZE, 0, ""},
    {"not to be used", "250-mx\n250-HELP\n250 STARTTLS", 0, 0, ""},
    {"garbage between", "250-mx\nDSN\n250 DSN", HAS_DSN, 0, ""},
};

static void learns_features(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(feature_rows); i++) {
        const struct feature_row *row = &feature_rows[i];
        int64_t size = -1;
        slice bad = S("?");

        if (connection_features(slice_text(row->reply), HAS_STARTTLS, &size, &bad) != row->features)
            fail_msg("%s: other features", row->name);
        assert_int_equal(size, row->size_limit);
        assert_true(slice_eq(bad, slice_text(row->bad_size)));
    }
    assert_int_equal(connection_features(S("250-mx\n250-DSN\n250 PIPELINING"),
                                         connection_features_listed(S("etrn, Pipelining, x")), &(int64_t){0},
                                         &(slice){0}),
                     HAS_DSN);
}

static const struct mail_row {
    const char *name;
    struct delivery_request w;
    unsigned features;
    bool size_known;
    const char *line;
} mail_rows[] = {
    {"plain",
     {.sender = S_INIT("a@example.com"), .size = 7, .encoding = S_INIT("8bit"), .smtputf8 = 1, .ret_flags = RET_FULL},
     0,
     true,
     "MAIL FROM:<a@example.com>\r\n"},
    {"null sender", {.size = 7}, HAS_SIZE, false, "MAIL FROM:<>\r\n"},
    {"a size", {.size = 7}, HAS_SIZE, true, "MAIL FROM:<> SIZE=7\r\n"},
    {"all",
     {.sender = S_INIT("a@example.com"),
      .size = 7,
      .encoding = S_INIT("8bit"),
      .smtputf8 = 3,
      .ret_flags = RET_HEADERS,
      .envelope_id = S_INIT("a+b")},
     HAS_SIZE | HAS_8BITMIME | HAS_DSN | HAS_SMTPUTF8,
     true,
     "MAIL FROM:<a@example.com> SIZE=7 BODY=8BITMIME ENVID=a+2Bb RET=HDRS SMTPUTF8\r\n"},
    {"7bit", {.encoding = S_INIT("7bit")}, HAS_8BITMIME, true, "MAIL FROM:<> BODY=7BIT\r\n"},
};

static void says_mail(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(mail_rows); i++) {
        AUTO_BUF struct buf out = BUF_INIT(1000);

        command_mail(&mail_rows[i].w, mail_rows[i].w.sender, mail_rows[i].features, mail_rows[i].size_known, &out);
        if (!slice_eq(buf_slice(&out), slice_text(mail_rows[i].line)))
            fail_msg("%s: %s", mail_rows[i].name, buf_text(&out));
    }
}

static const struct rcpt_row {
    const char *name;
    struct recipient r;
    unsigned features;
    const char *line;
} rcpt_rows[] = {
    {"no dsn", {.address = S_INIT("b@example.com"), .notify = NOTIFY_SUCCESS}, 0, "RCPT TO:<b@example.com>\r\n"},
    {"nothing known", {.address = S_INIT("b@example.com")}, HAS_DSN, "RCPT TO:<b@example.com>\r\n"},
    {"as first given",
     {.address = S_INIT("b@example.com"), .original = S_INIT("c d@example.com")},
     HAS_DSN,
     "RCPT TO:<b@example.com> ORCPT=rfc822;c+20d@example.com\r\n"},
    {"as told",
     {.address = S_INIT("b@example.com"),
      .original = S_INIT("c@example.com"),
      .dsn_orig_rcpt = S_INIT("x400;a=b"),
      .notify = NOTIFY_DELAY | NOTIFY_SUCCESS},
     HAS_DSN,
     "RCPT TO:<b@example.com> ORCPT=x400;a+3Db NOTIFY=SUCCESS,DELAY\r\n"},
    {"utf-8",
     {.address = S_INIT("b@example.com"),
      .dsn_orig_rcpt = S_INIT("utf-8;\xc3\xb6\xe2\x82\xac\xf0\x9f\x93\xa7\\+\xff@x"),
      .notify = NOTIFY_NEVER},
     HAS_DSN,
     "RCPT TO:<b@example.com> ORCPT=utf-8;\\x{F6}\\x{20AC}\\x{1F4E7}\\x{5C}\\x{2B}\\x{FF}@x NOTIFY=NEVER\r\n"},
};

static void says_rcpt(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rcpt_rows); i++) {
        AUTO_BUF struct buf out = BUF_INIT(1000);

        command_rcpt(&rcpt_rows[i].r, rcpt_rows[i].r.address, rcpt_rows[i].features, &out);
        if (!slice_eq(buf_slice(&out), slice_text(rcpt_rows[i].line)))
            fail_msg("%s: %s", rcpt_rows[i].name, buf_text(&out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_features),
        cmocka_unit_test(says_mail),
        cmocka_unit_test(says_rcpt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
