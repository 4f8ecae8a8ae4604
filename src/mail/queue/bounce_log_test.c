/* The logs in defer/, bounce/, trace/: printed as Postfix prints them, read back, appended and cut back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/attributes.h"
#include "core/base/file.h"
#include "mail/queue/bounce_log.h"

static const struct bounce_entry plain = {
    .recipient = {.address = S_INIT("a@dead.test"),
                  .original = S_INIT("A@dead.test"),
                  .offset = 231,
                  .dsn_orig_rcpt = S_INIT("rfc822;a@dead.test")},
    .outcome = {.kind = OUTCOME_DEFERRED, .dsn = {4, 4, 1}, .reason = S_INIT("connect to x: Connection refused")},
};
static const struct bounce_entry rich = {
    .recipient = {.address = S_INIT("b c@dead.test"), .original = S_INIT("b"), .offset = 300, .notify = 12},
    .outcome = {.kind = OUTCOME_BOUNCED,
                .dsn = {5, 1, 1},
                .reason = S_INIT("host said\n550 no"),
                .diag_type = S_INIT("smtp"),
                .diag_text = S_INIT("550 5.1.1 no"),
                .mta_type = S_INIT("dns"),
                .mta_name = S_INIT("dead.test")},
};
static const char plain_text[] =
    "\n<a@dead.test>: connect to x: Connection refused\nrecipient=a@dead.test\noffset=231\n"
    "dsn_orig_rcpt=rfc822;a@dead.test\nstatus=4.4.1\naction=delayed\n"
    "reason=connect to x: Connection refused\n\n";
static const char rich_text[] = "\nrecipient=\"b c\"@dead.test\noriginal_recipient=b\noffset=300\nnotify_flags=12\n"
                                "status=5.1.1\naction=failed\ndiag_type=smtp\ndiag_text=550 5.1.1 no\nmta_type=dns\n"
                                "mta_mname=dead.test\nreason=host said?550 no\n\n";

static void printed(void **state)
{
    AUTO_BUF struct buf out = BUF_INIT(10000);

    (void)state;
    assert_true(bounce_entry_print(&plain, true, &out));
    assert_string_equal(buf_text(&out), plain_text);
    buf_clear(&out);
    assert_true(bounce_entry_print(&rich, false, &out));
    assert_string_equal(buf_text(&out), rich_text);
}

struct list {
    int count;
    struct bounce_entry entries[4];
};

static bool collect(void *context, const struct bounce_entry *e)
{
    struct list *l = context;

    assert_true(l->count < 4);
    l->entries[l->count++] = *e;
    return true;
}

static void parsed(void **state)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(10000);
    AUTO_BUF struct buf in = BUF_INIT(10000);
    struct list l = {0};

    (void)state;
    (void)buf_addf(&in, "%s%s", plain_text, rich_text);
    assert_true(bounce_log_parse(buf_slice(&in), false, &arena, collect, &l));
    assert_int_equal(l.count, 2);
    assert_true(slice_eq(l.entries[0].recipient.address, S("a@dead.test")));
    assert_int_equal(l.entries[0].recipient.offset, 231);
    assert_int_equal(l.entries[0].outcome.kind, OUTCOME_DEFERRED);
    assert_true(slice_eq(l.entries[1].recipient.address, S("b c@dead.test")));
    assert_int_equal(l.entries[1].recipient.notify, 12);
    assert_int_equal(l.entries[1].outcome.kind, OUTCOME_BOUNCED);
    assert_true(slice_eq(l.entries[1].outcome.mta_name, S("dead.test")));
    assert_true(slice_eq(l.entries[1].outcome.reason, S("host said?550 no")));
}

static void old_style_and_strange(void **state)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(10000);
    struct list l = {0};

    (void)state;
    assert_true(
        bounce_log_parse(S("\n<a@b>: no\n\n<>: none\n\nrecipient=c\nstatus=x\nnew=1\nreason=\n\nstatus=4.0.0\n"), true,
                         &arena, collect, &l));
    assert_int_equal(l.count, 3); /* the fourth names nobody */
    assert_true(slice_eq(l.entries[0].outcome.reason, S("no")));
    assert_int_equal(l.entries[0].outcome.dsn.class, 5);
    assert_true(slice_eq(l.entries[0].outcome.action, S("failed")));
    assert_int_equal(l.entries[1].recipient.address.n, 0);
    assert_true(slice_eq(l.entries[2].outcome.reason, S("(description unavailable)")));
}

static void appended(void **state)
{
    static const struct queue_layout layout = {S_INIT("defer"), 1};
    char folder[] = "/tmp/bounce-log-test.XXXXXX", here[1000];
    AUTO_BUF struct buf in = BUF_INIT(10000), want = BUF_INIT(10000);
    struct stat st;
    struct err err;

    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(mkdir("defer", 0700), 0);
    assert_false(bounce_log_read(&layout, S("defer"), S("ABC1"), &in, &err));
    assert_int_equal(err.sys, ENOENT);
    assert_true(bounce_log_append(&layout, S("defer"), S("ABC1"), &plain, true, &err));
    assert_true(bounce_log_append(&layout, S("defer"), S("ABC1"), &rich, false, &err));
    assert_true(bounce_log_read(&layout, S("defer"), S("ABC1"), &in, &err));
    (void)buf_addf(&want, "%s%s", plain_text, rich_text);
    assert_true(slice_eq(buf_slice(&in), buf_slice(&want)));
    assert_int_equal(stat("defer/A/ABC1", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(unlink("defer/A/ABC1") | rmdir("defer/A") | rmdir("defer"), 0);
    assert_int_equal(chdir(here) | rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(printed), cmocka_unit_test(parsed),
                                       cmocka_unit_test(old_style_and_strange), cmocka_unit_test(appended)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
