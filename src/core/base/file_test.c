#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/fault.h"
#include "core/base/file.h"

static void errors(void **state)
{
    struct err err = {0};
    char longer[1000];

    (void)state;
    assert_false(err_set(&err, ERR_PEER, "%s-%d", "a", 1));
    assert_int_equal(err.kind, ERR_PEER);
    assert_string_equal(err.text, "a-1");
    errno = ENOENT;
    assert_false(err_sys(&err, "open %s", "x"));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(err.sys, ENOENT);
    assert_string_equal(err.text, "open x: No such file or directory");
    assert_false(err_note(&err, "queue file %d", 7));
    assert_int_equal(err.kind, ERR_SYS);
    assert_string_equal(err.text, "queue file 7: open x: No such file or directory");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_false(err_sys(&err, "%s", longer));
    assert_false(err_note(&err, "%s", longer));
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_clear(&err);
    assert_string_equal(err.text, "");
}

static void files(void **state)
{
    char path[] = "/tmp/waybill-file-XXXXXX", text[4];
    AUTO_FD int fd = mkstemp(path);
    UNUSED AUTO_DOOMED struct doomed doomed = {AT_FDCWD, path};
    AUTO_BUF struct buf content = BUF_INIT(20000), small = BUF_INIT(9);
    struct err err;

    (void)state;
    for (int i = 0; i < 998; i++)
        assert_true(file_write_all(fd, S("0123456789"), &err));
    assert_true(file_write_both(fd, S("01234"), S("56789"), &err));
    assert_true(file_write_both(fd, S(""), S("01234"), &err));
    assert_true(file_write_both(fd, S("56789"), S(""), &err));
    assert_true(file_pwrite_all(fd, S("abc"), 5, &err));
    assert_true(file_read_path(path, &content, &err));
    assert_int_equal(content.n, 10000);
    assert_memory_equal(content.p, "01234abc89", 10);
    assert_memory_equal(content.p + 9980, "01234567890123456789", 20);
    assert_false(file_read_path(path, &small, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_int_equal(truncate(path, 9), 0);
    buf_clear(&small);
    assert_true(file_read_path(path, &small, &err)); /* exactly the maximum */
    assert_false(file_read_path("/nowhere", &content, &err));
    assert_int_equal(err.sys, ENOENT);
    assert_true(text_from_slice(S("abc"), text, sizeof text));
    assert_false(text_from_slice(S("abcd"), text, sizeof text));
    assert_string_equal(text, "");
    assert_false(text_from_slice(S("a\0b"), text, sizeof text));
}

static void faults(void **state)
{
    (void)state;
#ifdef WAYBILL_FAULTS
    (void)setenv("WAYBILL_FAULT", "a.b:2:28,c:1", 1);
    assert_false(fault("a.b"));
    assert_false(fault("a"));
    errno = 0;
    assert_true(fault("a.b"));
    assert_int_equal(errno, ENOSPC);
    assert_false(fault("a.b"));
    assert_true(fault("c"));
    assert_int_equal(errno, EIO);
    (void)unsetenv("WAYBILL_FAULT");
#endif
    assert_false(fault("c"));
}

static void hook(const char *text)
{
    _exit(strcmp(text, "number 5") == 0 ? 42 : 1);
}

static void bugs_reach_the_hook(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        (void)close(STDERR_FILENO);
        bug_set_hook(hook);
        bug("number %d", 5);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors),
        cmocka_unit_test(files),
        cmocka_unit_test(faults),
        cmocka_unit_test(bugs_reach_the_hook),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
