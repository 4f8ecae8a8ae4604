/* The ids of a queue, each once, in the order of their inodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "commands/postsuper/batch.h"

enum { FILES = 300, HASH_FOLDERS = 3 };

static void make(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);

    assert_true(fd >= 0);
    (void)close(fd);
}

/* Ids that are all alike, but for a number in them. */
static void fill(void)
{
    char path[50];

    assert_int_equal(mkdir("deferred", 0700), 0);
    for (int n = 0; n < HASH_FOLDERS; n++) {
        (void)snprintf(path, sizeof path, "deferred/%d", n);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    for (int n = 0; n < FILES; n++) {
        (void)snprintf(path, sizeof path, "deferred/%d/%dID%03d", n % HASH_FOLDERS, n % HASH_FOLDERS, n);
        make(path);
    }
    make("deferred/no id");
}

static void test_order(void **state)
{
    char folder[] = "/tmp/postsuper-batch.XXXXXX", path[50];
    AUTO_BATCH struct batch batch = BATCH_INIT;
    bool met[FILES] = {false};
    ino_t before = 0;
    struct queue_scan *scan;
    struct stat st;
    struct err err;
    slice id;

    (void)state;
    assert_true(mkdtemp(folder) != NULL && chdir(folder) == 0);
    fill();
    scan = queue_scan_open(S("deferred"), &err);
    assert_non_null(scan);
    assert_true(batch_read(&batch, scan));
    for (int count = 0; count < FILES; count++) {
        assert_true(batch_next(&batch, &id));
        (void)snprintf(path, sizeof path, "deferred/%c/%.*s", id.p[0], S_ARG(id));
        assert_int_equal(stat(path, &st), 0);
        assert_true(st.st_ino > before);
        before = st.st_ino;
        assert_false(met[strtol(id.p + 3, NULL, 10)]);
        met[strtol(id.p + 3, NULL, 10)] = true;
        assert_int_equal(unlink(path), 0);
    }
    assert_false(batch_next(&batch, &id));
    assert_false(batch_read(&batch, scan));
    queue_scan_close(scan);
    assert_int_equal(system("rm -rf \"$PWD\""), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
