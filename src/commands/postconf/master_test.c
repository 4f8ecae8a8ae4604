/* Rows of master.cf, shown and changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "commands/postconf/master.h"

#define SMTP "smtp inet n - n - - smtpd\n  -o a=1 # no note\n# note\n -o b=2\n"
#define TAIL "# of qmgr\nqmgr unix n - n 300 1 qmgr\n"

static const struct {
    enum master_view view;
    enum master_change change;
    const char *request, *expect; /* NULL: refused */
    bool matched;
} edits[] = {
    {MASTER_ROWS, MASTER_REMOVE, "smtp/inet", "# note\n" TAIL, true},
    {MASTER_ROWS, MASTER_REMOVE, "smtp/unix", SMTP TAIL, false},
    {MASTER_ROWS, MASTER_COMMENT_OUT, "qmgr/unix", SMTP "# of qmgr\n#qmgr unix n - n 300 1 qmgr\n", true},
    {MASTER_ROWS, MASTER_SET, "qmgr/unix=qmgr unix n - n 60 1 qmgr -v",
     SMTP "# of qmgr\nqmgr       unix  n       -       n       60      1       qmgr -v\n", true},
    {MASTER_ROWS, MASTER_SET, "new/unix=new unix - - n - 1 smtp",
     SMTP TAIL "new        unix  -       -       n       -       1       smtp\n", false},
    {MASTER_ROWS, MASTER_SET, "new/unix=new unix - - n - 1", NULL, false},
    {MASTER_FIELDS, MASTER_SET, "qmgr/unix/chroot=y",
     SMTP "# of qmgr\nqmgr       unix  n       -       y       300     1       qmgr\n", true},
    {MASTER_FIELDS, MASTER_SET, "qmgr/unix/chroot=x", NULL, false},
    {MASTER_FIELDS, MASTER_SET, "qmgr/unix/what=x", NULL, false},
    {MASTER_PARAMETERS, MASTER_SET, "qmgr/unix/c=x y",
     SMTP "# of qmgr\nqmgr       unix  n       -       n       300     1       qmgr\n    -o {c=x y}\n", true},
    {MASTER_PARAMETERS, MASTER_SET, "qmgr/unix/c", NULL, false},
};

static void test_edits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(edits); i++) {
        AUTO_BUF struct buf out = BUF_INIT(10000);
        bool matched = false;
        struct err err;

        if (!master_edit(S(SMTP TAIL), edits[i].view, edits[i].change, slice_text(edits[i].request), &out, &matched,
                         &err)) {
            assert_null(edits[i].expect);
            continue;
        }
        assert_non_null(edits[i].expect);
        assert_string_equal(buf_text(&out), edits[i].expect);
        assert_int_equal(matched, edits[i].matched);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_edits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
