#include "report/flush/site_log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/waybill-flush-XXXXXX";
static const struct queue_layout layout = {S_INIT("deferred defer"), 1};

static void names(void **state)
{
    AUTO_BUF struct buf name = BUF_INIT(300);

    (void)state;
    assert_true(site_log_name(S("Dead.Test"), &name));
    assert_string_equal(buf_text(&name), "dead_test");
    assert_false(site_log_name(S(""), &name));
}

static void make(const char *path)
{
    static const struct timespec later[2] = {{4000000000, 0}, {4000000000, 0}};
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);

    assert_true(fd >= 0);
    assert_int_equal(futimens(fd, later), 0);
    assert_int_equal(close(fd), 0);
}

static void sending(void **state)
{
    struct err err;
    struct stat st;
    int moved = -1;
    bool one;

    (void)state;
    make("deferred/A/AB12");
    make("deferred/A/AC34");
    assert_true(site_log_add(S("dead_test"), S("AB12"), &err));
    assert_true(site_log_add(S("dead_test"), S("AB12"), &err));
    assert_true(site_log_add(S("dead_test"), S("AD99"), &err)); /* gone meanwhile */
    assert_true(site_log_send(&layout, S("dead_test"), &moved, &err));
    assert_int_equal(moved, 1);
    assert_int_equal(stat("incoming/AB12", &st), 0);
    assert_true(st.st_mtim.tv_sec <= time(NULL));
    assert_int_equal(stat("flush/dead_test", &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_true(site_log_send(&layout, S("unknown"), &moved, &err));
    assert_int_equal(moved, 0);

    assert_true(site_move_to_incoming(&layout, S("AC34"), true, &one, &err));
    assert_true(one);
    assert_int_equal(stat("incoming/AC34", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700 | QUEUE_MODE_UNTHROTTLE);
    assert_true(site_move_to_incoming(&layout, S("AC34"), true, &one, &err));
    assert_false(one);
}

static int sent;

static void count(slice name)
{
    assert_true(slice_eq(name, S("old")));
    sent++;
}

static void refreshing(void **state)
{
    struct err err;
    struct stat st;

    (void)state;
    assert_true(site_log_add(S("old"), S("AB12"), &err));
    assert_true(site_logs_refresh(INT64_MAX, INT64_MAX, count, &err));
    assert_int_equal(sent, 0);
    assert_true(site_logs_refresh(0, 0, count, &err));
    assert_int_equal(sent, 1);
    assert_int_equal(stat("flush/dead_test", &st), -1); /* was empty */
    assert_int_equal(errno, ENOENT);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    return chdir(directory) | mkdir("flush", 0700) | mkdir("deferred", 0700) | mkdir("deferred/A", 0700) |
           mkdir("incoming", 0700);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink("incoming/AB12") | unlink("incoming/AC34") | unlink("flush/old") | rmdir("flush") |
           rmdir("deferred/A") | rmdir("deferred") | rmdir("incoming") | rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(sending), cmocka_unit_test(refreshing)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
