/* Files in queue directories: made under their final name, moved, found, marked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/attributes.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "mail/queue/commit.h"
#include "mail/queue/dir.h"

static const struct queue_layout layout = {S_INIT("deferred, defer"), 2};

static int enter_scratch(void **state)
{
    char folder[] = "/tmp/queue-dir-test.XXXXXX";
    static const char *const queues[] = {"maildrop", "incoming", "deferred", "active"};

    *state = NULL;
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(queues); i++)
        if (mkdir(queues[i], 0700) != 0)
            return -1;
    return 0;
}

static int leave_scratch(void **state)
{
    char here[200];

    (void)state;
    if (getcwd(here, sizeof here) == NULL || chdir("/") != 0)
        return -1;
    /* Only ever the folder made above. */
    if (!slice_starts(slice_text(here), S("/tmp/queue-dir-test.")))
        return -1;
    char command[300];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", here);
    return system(command);
}

static void created_moved_found(void **state)
{
    struct queue_new made;
    struct queue_scan *scan;
    char path[QUEUE_PATH_MOST];
    const char *found;
    int64_t us;
    uint64_t inode;
    struct stat st;
    struct err err;
    slice id;

    (void)state;
    assert_true(queue_create(&layout, S("incoming"), false, QUEUE_MODE_EMBRYO, &made, &err));
    assert_true(queue_path(&layout, S("incoming"), slice_text(made.id), path));
    assert_int_equal(queue_file_check(path, &st), QUEUE_FILE_NOT_READY);
    assert_true(queue_id_parse(slice_text(made.id), &us, &inode));
    assert_int_equal(inode, st.st_ino);
    assert_int_equal(us, made.created_us % SECONDS(1));
    assert_true(file_write_all(made.fd, S("R\1x"), &err));
    assert_true(queue_commit_blocking(made.fd, QUEUE_MODE_READY, &err));
    assert_int_equal(queue_file_check(path, &st), QUEUE_FILE_READY);

    assert_true(queue_move(&layout, S("incoming"), S("deferred"), slice_text(made.id), &err));
    assert_int_equal(queue_file_check(path, &st), QUEUE_FILE_GONE);
    assert_true(queue_path(&layout, S("deferred"), slice_text(made.id), path));
    scan = queue_scan_open(S("deferred"), &err);
    assert_non_null(scan);
    assert_int_equal(queue_scan_next(scan, &id, &found, &err), SCAN_ID);
    assert_true(slice_eq(id, slice_text(made.id)));
    assert_string_equal(found, path);
    assert_int_equal(queue_scan_next(scan, &id, &found, &err), SCAN_END);
    queue_scan_close(scan);

    assert_true(queue_mark(made.fd, 0, 'R', 'D', &err));
    assert_false(queue_mark(made.fd, 0, 'R', 'D', &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_false(queue_mark(made.fd, 99, 'R', 'D', &err));
    assert_int_equal(unlink(path), 0);
    (void)close(made.fd);
}

static void long_ids_hash_by_time(void **state)
{
    char path[QUEUE_PATH_MOST], want[QUEUE_PATH_MOST], micros[6];
    struct queue_new made;
    struct err err;

    (void)state;
    assert_true(queue_create(&layout, S("deferred"), true, QUEUE_MODE_EMBRYO, &made, &err));
    (void)snprintf(micros, sizeof micros, "%05X", (unsigned)(made.created_us % SECONDS(1)));
    (void)snprintf(want, sizeof want, "deferred/%c/%c/%s", micros[0], micros[1], made.id);
    assert_true(queue_path(&layout, S("deferred"), slice_text(made.id), path));
    assert_string_equal(path, want);
    assert_int_equal(unlink(path), 0);
    (void)close(made.fd);
}

static void what_is_gone(void **state)
{
    struct err err;

    (void)state;
    assert_false(queue_move(&layout, S("active"), S("deferred"), S("ZBC123"), &err)); /* no id of ours begins so */
    assert_int_equal(err.sys, ENOENT);
    assert_int_not_equal(access("deferred/Z", F_OK), 0);
    assert_null(queue_scan_open(S("nosuch"), &err));
    assert_int_equal(err.sys, ENOENT);
    assert_false(queue_create(&layout, S("nosuch"), false, 0600, &(struct queue_new){0}, &err));
}

static void flat_and_foreign_names(void **state)
{
    struct queue_scan *scan;
    const char *path;
    struct err err;
    struct stat st;
    int count = 0;
    slice id;

    (void)state;
    assert_int_equal(mkdir("maildrop/a", 0700) | mkdir("active/a", 0700), 0);
    assert_int_equal(symlink("x", "active/LINK1"), 0);
    (void)close(open("maildrop/a/ABC1", O_CREAT | O_WRONLY, 0700));
    (void)close(open("active/a/ABC1", O_CREAT | O_WRONLY, 0700));
    (void)close(open("active/123.456", O_CREAT | O_WRONLY, 0700));
    /* Nobody hashes maildrop: the folder is a name like others, and not a file. */
    scan = queue_scan_open(S("maildrop"), &err);
    assert_int_equal(queue_scan_next(scan, &id, &path, &err), SCAN_ID);
    assert_int_equal(queue_file_check(path, &st), QUEUE_FILE_BAD);
    assert_int_equal(queue_scan_next(scan, &id, &path, &err), SCAN_END);
    queue_scan_close(scan);
    scan = queue_scan_open(S("active"), &err);
    while (queue_scan_next(scan, &id, &path, &err) == SCAN_ID) {
        count++;
        assert_int_equal(queue_file_check(path, &st), slice_eq(id, S("LINK1")) ? QUEUE_FILE_BAD : QUEUE_FILE_READY);
    }
    queue_scan_close(scan);
    assert_int_equal(count, 2);
}

static void locks(void **state)
{
    int a = open("incoming/l", O_CREAT | O_RDWR, 0600), b = open("incoming/l", O_RDWR);
    struct err err;

    (void)state;
    assert_true(queue_lock(a, true, &err));
    assert_false(queue_lock(b, false, &err));
    assert_int_equal(err.sys, EAGAIN);
    (void)close(a);
    assert_true(queue_lock(b, false, &err));
    (void)close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(created_moved_found), cmocka_unit_test(long_ids_hash_by_time),
                                       cmocka_unit_test(what_is_gone), cmocka_unit_test(flat_and_foreign_names),
                                       cmocka_unit_test(locks)};
    return cmocka_run_group_tests(tests, enter_scratch, leave_scratch);
}
