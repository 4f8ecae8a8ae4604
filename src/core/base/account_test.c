#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/account.h"

static void says_what_is_the_matter(void **state)
{
    struct rlimit before, none;
    int next = dup(0);

    (void)state;
    assert_int_equal(account_file_trouble("/etc/passwd"), 0);
    assert_int_equal(account_file_trouble("/no/such/file"), 0);
    (void)close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(account_file_trouble("/etc/passwd"), EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_what_is_the_matter)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
