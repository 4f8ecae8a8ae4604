/* What a person does to queued messages, also when it is cut short or the queue manager is quicker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "mail/queue/edit.h"

static const struct queue_layout layout = {S_INIT("deferred, defer"), 1};

static int enter_scratch(void **state)
{
    char folder[] = "/tmp/queue-edit-test.XXXXXX";
    static const char *const queues[] = {"incoming", "deferred", "deferred/A", "hold",
                                         "bounce",   "defer",    "defer/A",    "trace"};

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
    char here[200], command[300];

    (void)state;
    if (getcwd(here, sizeof here) == NULL || chdir("/") != 0 ||
        !slice_starts(slice_text(here), S("/tmp/queue-edit-test.")))
        return -1;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", here);
    return system(command);
}

static void make(const char *path, mode_t mode)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, path, strlen(path)), strlen(path));
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void moves_but_not_over_another(void **state)
{
    char content[100];
    struct err err;
    int fd;

    (void)state;
    make("deferred/A/ABC1", 0700);
    assert_int_equal(queue_edit_move(&layout, S("incoming"), S("hold"), S("ABC1"), &err), QUEUE_EDIT_ABSENT);
    assert_int_equal(queue_edit_move(&layout, S("deferred"), S("hold"), S("ABC1"), &err), QUEUE_EDIT_DONE);
    assert_true(there("hold/ABC1") && !there("deferred/A/ABC1"));
    make("incoming/ABC1", 0700);
    assert_int_equal(queue_edit_move(&layout, S("incoming"), S("hold"), S("ABC1"), &err), QUEUE_EDIT_FAILED);
    assert_int_equal(err.sys, EEXIST);
    fd = open("hold/ABC1", O_RDONLY);
    assert_int_equal(read(fd, content, sizeof content), strlen("deferred/A/ABC1"));
    (void)close(fd);
    /* The same file twice, as a crash may leave it. */
    assert_int_equal(unlink("incoming/ABC1"), 0);
    assert_int_equal(link("hold/ABC1", "incoming/ABC1"), 0);
    assert_int_equal(queue_edit_move(&layout, S("incoming"), S("hold"), S("ABC1"), &err), QUEUE_EDIT_DONE);
    assert_true(there("hold/ABC1") && !there("incoming/ABC1"));
    /* A folder that is missing. */
    make("hold/BBC1", 0700);
    assert_int_equal(queue_edit_move(&layout, S("hold"), S("deferred"), S("BBC1"), &err), QUEUE_EDIT_DONE);
    assert_true(there("deferred/B/BBC1"));
    assert_int_equal(unlink("deferred/B/BBC1") | unlink("hold/ABC1"), 0);
}

static void what_is_incomplete_is_absent(void **state)
{
    static const mode_t modes[] = {0600, 0400, 0644};
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        make("incoming/ABC2", modes[i]);
        assert_int_equal(queue_edit_move(&layout, S("incoming"), S("hold"), S("ABC2"), &err), QUEUE_EDIT_ABSENT);
        assert_int_equal(queue_edit_remove(&layout, S("incoming"), S("ABC2"), true, &err), QUEUE_EDIT_ABSENT);
        assert_int_equal(queue_edit_expire(&layout, S("incoming"), S("ABC2"), &err), QUEUE_EDIT_ABSENT);
        assert_int_equal(unlink("incoming/ABC2"), 0);
    }
    assert_int_equal(symlink("/etc/passwd", "incoming/ABC2"), 0);
    assert_int_equal(queue_edit_remove(&layout, S("incoming"), S("ABC2"), true, &err), QUEUE_EDIT_ABSENT);
    assert_int_equal(queue_edit_expire(&layout, S("incoming"), S("ABC2"), &err), QUEUE_EDIT_ABSENT);
    assert_int_equal(queue_edit_move(&layout, S("incoming"), S("hold"), S("ABC2"), &err), QUEUE_EDIT_ABSENT);
    assert_int_equal(unlink("incoming/ABC2"), 0);
}

static void expires(void **state)
{
    struct err err;
    struct stat st;

    (void)state;
    make("hold/ABC3", 0744);
    assert_int_equal(queue_edit_expire(&layout, S("hold"), S("ABC3"), &err), QUEUE_EDIT_DONE);
    assert_int_equal(queue_edit_expire(&layout, S("hold"), S("ABC3"), &err), QUEUE_EDIT_UNCHANGED);
    assert_int_equal(stat("hold/ABC3", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0754);
    assert_int_equal(link("hold/ABC3", "hold/ABC4"), 0);
    assert_int_equal(queue_edit_expire(&layout, S("hold"), S("ABC4"), &err), QUEUE_EDIT_FAILED);
    assert_string_equal(err.text, "expire file hold/ABC4: file has 2 hard links");
    assert_int_equal(unlink("hold/ABC3") | unlink("hold/ABC4"), 0);
}

static void make_with_logs(void)
{
    make("deferred/A/ABC5", 0700);
    make("defer/A/ABC5", 0600);
    make("bounce/ABC5", 0600);
    make("trace/ABC5", 0600);
}

static void removes_with_its_logs(void **state)
{
    struct err err;

    (void)state;
    make_with_logs();
    make("bounce/ABC55", 0600);
    assert_int_equal(queue_edit_remove(&layout, S("deferred"), S("ABC5"), true, &err), QUEUE_EDIT_DONE);
    assert_false(there("deferred/A/ABC5") || there("defer/A/ABC5") || there("bounce/ABC5") || there("trace/ABC5"));
    assert_true(there("bounce/ABC55"));
    assert_int_equal(queue_edit_remove(&layout, S("deferred"), S("ABC5"), true, &err), QUEUE_EDIT_ABSENT);
}

#ifdef WAYBILL_FAULTS
/* Removes in a process that is killed at its NUMBER-th unlink; false: it came to its end. */
static bool killed_while_removing(int number)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        char plan[100];
        struct err err;

        (void)snprintf(plan, sizeof plan, "queue.unlink:%d:kill", number);
        (void)setenv("WAYBILL_FAULT", plan, 1);
        (void)queue_edit_remove(&layout, S("deferred"), S("ABC5"), true, &err);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status);
}

/* Wherever it is cut short: while the message is there, so are its logs. */
static void no_message_without_its_logs(void **state)
{
    int number = 1;

    (void)state;
    for (bool killed = true; killed; number++) {
        make_with_logs();
        killed = killed_while_removing(number);
        if (there("deferred/A/ABC5"))
            assert_true(there("defer/A/ABC5") && there("bounce/ABC5") && there("trace/ABC5"));
    }
    assert_true(number > 4);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_but_not_over_another),
        cmocka_unit_test(what_is_incomplete_is_absent),
        cmocka_unit_test(expires),
        cmocka_unit_test(removes_with_its_logs),
#ifdef WAYBILL_FAULTS
        cmocka_unit_test(no_message_without_its_logs),
#endif
    };
    return cmocka_run_group_tests(tests, enter_scratch, leave_scratch);
}
