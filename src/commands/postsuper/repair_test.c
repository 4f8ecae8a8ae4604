/* The walk that puts the queue in order: cut short anywhere, on files that are in each other's way, run again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "commands/postsuper/repair.h"
#include "core/base/file.h"

enum { FILES = 6 };

static const struct queue_layout layout = {S_INIT("deferred, defer"), 1};
static const struct places_asked everywhere;

static const char *const folders[] = {"maildrop", "incoming", "active", "deferred", "hold",
                                      "defer",    "bounce",   "trace",  "flush"};

static int enter_scratch(void **state)
{
    char folder[] = "/tmp/postsuper-test.XXXXXX";

    *state = NULL;
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        if (mkdir(folders[i], 0700) != 0)
            return -1;
    return 0;
}

/* Calls SEE for each file in FOLDER and below. */
static void walk(const char *folder, void (*see)(const char *path, void *arg), void *arg)
{
    DIR *all = opendir(folder);
    struct dirent *one;

    assert_non_null(all);
    while ((one = readdir(all)) != NULL) {
        char path[400];

        if (one->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, one->d_name);
        if (one->d_type == DT_DIR)
            walk(path, see, arg);
        else
            see(path, arg);
    }
    (void)closedir(all);
}

static void remove_file(const char *path, void *arg)
{
    (void)arg;
    assert_int_equal(unlink(path), 0);
}

static int empty(void **state)
{
    (void)state;
    walk(".", remove_file, NULL);
    return 0;
}

static int leave_scratch(void **state)
{
    char here[200], command[300];

    (void)state;
    if (getcwd(here, sizeof here) == NULL || chdir("/") != 0 ||
        !slice_starts(slice_text(here), S("/tmp/postsuper-test.")))
        return -1;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", here);
    return system(command);
}

/* A file with NUMBER in it; its inode. */
static uint64_t make(const char *path, int number, mode_t mode)
{
    int fd = open(path, O_CREAT | O_RDWR | O_EXCL, 0600);
    char text = (char)('0' + number);
    struct stat st;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, &text, 1), 1);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(fstat(fd, &st), 0);
    (void)close(fd);
    return st.st_ino;
}

static int number_in(const char *path)
{
    char text = 0;
    int fd = open(path, O_RDONLY);

    if (fd < 0)
        return -1;
    assert_int_equal(read(fd, &text, 1), 1);
    (void)close(fd);
    return text - '0';
}

static bool repaired(const struct places_asked *where, int64_t *renamed)
{
    struct repair r = {.layout = &layout, .where = where, .structure = true, .purge = true};
    struct err err;
    bool ok = repair_run(&r, &err);

    if (!ok)
        print_error("%s\n", err.text);
    *renamed = r.renamed;
    return ok;
}

/* As restored from a backup: each message has the name that belongs to the next one's inode, each has two logs. */
static void make_rotated(void)
{
    uint64_t inodes[FILES];
    char from[200], to[200], id[QUEUE_ID_MOST + 1];

    for (int i = 0; i < FILES; i++) {
        (void)snprintf(from, sizeof from, "hold/t%d", i);
        inodes[i] = make(from, i, 0700);
    }
    for (int i = 0; i < FILES; i++) {
        queue_id_print(false, 5, inodes[(i + 1) % FILES], id);
        (void)snprintf(from, sizeof from, "hold/t%d", i);
        (void)snprintf(to, sizeof to, "hold/%s", id);
        assert_int_equal(rename(from, to), 0);
        (void)snprintf(to, sizeof to, "bounce/%s", id);
        (void)make(to, i, 0600);
        (void)snprintf(to, sizeof to, "defer/%s", id);
        (void)make(to, i, 0600);
    }
}

struct rotated {
    enum place_kind kind; /* of the files that are looked at */
    int seen[FILES], logs, right;
};

static void look_at(const char *path, void *arg)
{
    struct rotated *r = arg;
    char want[QUEUE_ID_MOST + 1];
    struct stat st;

    if (r->kind == PLACE_LOGS) {
        r->logs++;
        return;
    }
    assert_int_equal(stat(path, &st), 0);
    r->seen[number_in(path)]++;
    queue_id_print(false, 5, st.st_ino, want);
    r->right += strcmp(strrchr(path, '/') + 1, want) == 0;
}

/* Every message and log is there, and under one name; returns how many names fit their inodes. */
static int check_rotated(void)
{
    struct rotated r = {0};

    for (size_t p = 0; p < PLACE_COUNT; p++) {
        char folder[200];

        (void)snprintf(folder, sizeof folder, "%.*s", S_ARG(places[p].name));
        r.kind = places[p].kind;
        walk(folder, look_at, &r);
    }
    for (int i = 0; i < FILES; i++)
        assert_int_equal(r.seen[i], 1);
    assert_int_equal(r.logs, 2 * FILES);
    return r.right;
}

static void look_at_logs(const char *path, void *arg)
{
    const char *id = strrchr(path, '/') + 1;
    int *count = arg, number = number_in(path);
    char log[400];

    (void)snprintf(log, sizeof log, "bounce/%s", id);
    assert_int_equal(number_in(log), number);
    (void)snprintf(log, sizeof log, "defer/0/%s", id);
    assert_int_equal(number_in(log), number);
    (*count)++;
}

/* Each message's logs are its own. */
static void check_logs(void)
{
    int count = 0;

    walk("hold", look_at_logs, &count);
    assert_int_equal(count, FILES);
}

static void rotated_names(void **state)
{
    int64_t renamed;

    (void)state;
    make_rotated();
    assert_int_equal(check_rotated(), 0);
    assert_true(repaired(&everywhere, &renamed));
    assert_int_equal(renamed, FILES);
    assert_int_equal(check_rotated(), FILES);
    check_logs();
    assert_true(repaired(&everywhere, &renamed));
    assert_int_equal(renamed, 0);
    check_logs();
}

#ifdef WAYBILL_FAULTS
static bool killed_while_repairing(int number)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        char plan[100];
        int64_t renamed;

        (void)snprintf(plan, sizeof plan, "queue.rename:%d:kill", number);
        (void)setenv("WAYBILL_FAULT", plan, 1);
        _exit(repaired(&everywhere, &renamed) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status);
}

static void cut_short_anywhere(void **state)
{
    int number = 1;
    int64_t renamed;

    (void)state;
    for (bool killed = true; killed; number++) {
        assert_int_equal(empty(state), 0);
        make_rotated();
        killed = killed_while_repairing(number);
        (void)check_rotated();
        assert_true(repaired(&everywhere, &renamed));
        assert_int_equal(check_rotated(), FILES);
        check_logs();
    }
    assert_true(number > 4 * FILES);
}
#endif

/* The place where a file belongs is taken by one whose name is wrong. */
static void both_are_kept(void **state)
{
    char id[QUEUE_ID_MOST + 1], right[200], taken[200];
    uint64_t inode;
    int64_t renamed;

    (void)state;
    inode = make("deferred/t", 1, 0700);
    queue_id_print(false, 5, inode, id);
    (void)snprintf(right, sizeof right, "deferred/%s", id);
    assert_int_equal(rename("deferred/t", right), 0);
    (void)mkdir("deferred/0", 0700);
    (void)snprintf(taken, sizeof taken, "deferred/0/%s", id);
    (void)make(taken, 2, 0700);
    assert_true(repaired(&everywhere, &renamed));
    assert_int_equal(renamed, 1);
    assert_int_equal(number_in(taken), 1);
    assert_int_not_equal(access(right, F_OK), 0);
    assert_int_equal(system("test $(ls deferred/0 | wc -l) = 2"), 0);
}

/* Logs stay with the message that bears the id by right, whatever copy of it lies elsewhere. */
static void a_copy_takes_no_logs(void **state)
{
    char id[QUEUE_ID_MOST + 1], path[200];
    uint64_t inode = make("incoming/t", 1, 0700);
    int64_t renamed;

    (void)state;
    queue_id_print(false, 5, inode, id);
    (void)snprintf(path, sizeof path, "hold/%s", id);
    assert_int_equal(rename("incoming/t", path), 0);
    (void)snprintf(path, sizeof path, "incoming/%s", id);
    (void)make(path, 2, 0700);
    (void)snprintf(path, sizeof path, "bounce/%s", id);
    (void)make(path, 1, 0600);
    assert_true(repaired(&everywhere, &renamed));
    assert_int_equal(renamed, 1);
    assert_int_equal(number_in(path), 1);
}

/* What a week has not completed goes; what is damaged, complete, young or somebody's log stays. */
static void purges(void **state)
{
    static const struct {
        const char *path;
        mode_t mode;
        int age_days;
        bool stays;
    } rows[] = {
        {"incoming/123.456", 0600, 8, false}, {"maildrop/123.457", 0644, 8, false}, {"incoming/123.458", 0600, 6, true},
        {"hold/123.459", 0700, 8, true},      {"active/123.460", 0400, 8, true},    {"bounce/ABC1", 0600, 8, true},
    };
    int64_t renamed;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct timespec times[2] = {{.tv_sec = time(NULL) - rows[i].age_days * 24 * 3600}};

        times[1] = times[0];
        (void)make(rows[i].path, 1, rows[i].mode);
        assert_int_equal(utimensat(AT_FDCWD, rows[i].path, times, 0), 0);
    }
    assert_true(repaired(&everywhere, &renamed));
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(access(rows[i].path, F_OK) == 0, rows[i].stays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(rotated_names, empty),
#ifdef WAYBILL_FAULTS
        cmocka_unit_test_teardown(cut_short_anywhere, empty),
#endif
        cmocka_unit_test_teardown(both_are_kept, empty),
        cmocka_unit_test_teardown(a_copy_takes_no_logs, empty),
        cmocka_unit_test_teardown(purges, empty),
    };
    return cmocka_run_group_tests(tests, enter_scratch, leave_scratch);
}
