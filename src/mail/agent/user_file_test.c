/* Lists as users leave them lying about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/attributes.h"
#include "core/base/file.h"
#include "mail/agent/user_file.h"

static void write_file(const char *path, size_t bytes, mode_t mode)
{
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "alice\n", 6), 6);
    if (bytes > 6)
        assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

static void make_files(void)
{
    write_file("good", 6, 0644);
    write_file("group", 6, 0664);
    write_file("loose", 6, 0646);
    write_file("long", USER_FILE_BYTES_MOST + 1, 0644);
    assert_int_equal(symlink("good", "link"), 0);
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    assert_int_equal(mkdir("folder", 0755), 0);
    assert_int_equal(mkfifo("pipe", 0644), 0); /* opening it would wait for a writer */
}

static void kinds(void **state)
{
    static const struct {
        const char *name;
        enum user_file_got forward, include;
        const char *forward_trouble, *include_trouble;
    } rows[] = {
        {"good", USER_FILE_FOUND, USER_FILE_FOUND, "", ""},
        {"group", USER_FILE_FOUND, USER_FILE_FOUND, "", ""},
        {"absent", USER_FILE_ABSENT, USER_FILE_REFUSED, "",
         "unable to lookup :include: file absent: No such file or directory"},
        {"good/x", USER_FILE_ABSENT, USER_FILE_REFUSED, "", "unable to lookup :include: file good/x: Not a directory"},
        {"loose", USER_FILE_ABSENT, USER_FILE_REFUSED, "file loose is world writable",
         ":include: file loose is world writable"},
        {"link", USER_FILE_ABSENT, USER_FILE_FOUND, "file link is not a regular file", ""},
        {"dangling", USER_FILE_ABSENT, USER_FILE_REFUSED, "file dangling is not a regular file",
         "unable to lookup :include: file dangling: No such file or directory"},
        {"folder", USER_FILE_ABSENT, USER_FILE_REFUSED, "file folder is not a regular file",
         ":include: file folder is not a regular file"},
        {"pipe", USER_FILE_ABSENT, USER_FILE_REFUSED, "file pipe is not a regular file",
         ":include: file pipe is not a regular file"},
        {"long", USER_FILE_FAILED, USER_FILE_FAILED, "cannot read file long: more than 8388608 bytes",
         "cannot read file long: more than 8388608 bytes"},
    };
    struct user_file_job *job = calloc(1, sizeof *job);

    (void)state;
    assert_non_null(job);
    job->path_count = 1;
    job->owner = geteuid();
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        AUTO_BUF struct buf content = BUF_INIT(USER_FILE_BYTES_MOST);
        bool include = i % 2 == 1;
        struct user_file_result r;

        job->kind = include ? USER_FILE_INCLUDE : USER_FILE_FORWARD;
        (void)snprintf(job->paths[0], sizeof job->paths[0], "%s", rows[i / 2].name);
        user_file_read(job, &r, &content);
        assert_int_equal(r.got, include ? rows[i / 2].include : rows[i / 2].forward);
        assert_string_equal(r.trouble, include ? rows[i / 2].include_trouble : rows[i / 2].forward_trouble);
        assert_int_equal(r.content_bytes, r.got == USER_FILE_FOUND ? 6 : 0);
    }
    free(job);
}

static void another_owner(void **state)
{
    struct user_file_job *job = calloc(1, sizeof *job);
    AUTO_BUF struct buf content = BUF_INIT(USER_FILE_BYTES_MOST);
    struct user_file_result r;

    (void)state;
    assert_non_null(job);
    job->path_count = 1;
    job->owner = geteuid() + 1; /* root's is everybody's: then nothing is wrong */
    (void)snprintf(job->paths[0], sizeof job->paths[0], "good");
    user_file_read(job, &r, &content);
    assert_int_equal(r.got, geteuid() == 0 ? USER_FILE_FOUND : USER_FILE_ABSENT);
    free(job);
}

static void first_of_several(void **state)
{
    struct user_file_job *job = calloc(1, sizeof *job);
    AUTO_BUF struct buf content = BUF_INIT(USER_FILE_BYTES_MOST);
    struct user_file_result r;

    (void)state;
    assert_non_null(job);
    job->path_count = 3;
    job->owner = geteuid();
    (void)snprintf(job->paths[0], sizeof job->paths[0], "absent");
    (void)snprintf(job->paths[1], sizeof job->paths[1], "good");
    (void)snprintf(job->paths[2], sizeof job->paths[2], "group");
    user_file_read(job, &r, &content);
    assert_int_equal(r.got, USER_FILE_FOUND);
    assert_int_equal(r.index, 1);
    (void)snprintf(job->home, sizeof job->home, "/nonexistent");
    user_file_read(job, &r, &content);
    assert_int_equal(r.got, USER_FILE_NO_HOME);
    assert_string_equal(r.trouble, "cannot access home directory /nonexistent: No such file or directory");
    free(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kinds), cmocka_unit_test(another_owner),
                                       cmocka_unit_test(first_of_several)};
    char folder[] = "/tmp/waybill-user-file-XXXXXX", command[100];
    int failed;

    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return 1;
    make_files();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) != 0 || failed;
}
