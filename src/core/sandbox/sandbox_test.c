/* What a confined process can and cannot do: each row in a child of its own, with Landlock and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <asm/sockios.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/sandbox/inner.h"
#include "core/sandbox/test_support.h"

static char folder[] = "/tmp/waybill-sandbox-XXXXXX";

/* Each is 0, or the errno of what failed. */
static int result(long n)
{
    return n >= 0 ? 0 : errno;
}

static int open_with(const char *path, int flags)
{
    return result(open(path, flags | O_CLOEXEC, 0600));
}

static int foreign_file(void) { return open_with("/etc/passwd", O_RDONLY); }
static int other_folder(void) { return open_with("other/file", O_RDONLY); }
static int own_file(void) { return open_with("own/file", O_RDONLY); }
static int own_file_changed(void) { return open_with("own/file", O_RDWR); }
static int own_file_made(void) { return open_with("own/new", O_WRONLY | O_CREAT); }
static int own_file_removed(void) { return result(unlink("own/spare")); }
static int own_file_cut(void) { return result(truncate("own/spare", 0)); }
static int own_file_moved(void) { return result(rename("own/spare", "second/spare")); }
static int own_file_taken_away(void) { return result(rename("own/spare", "other/spare")); }
static int own_socket(void) { return result(socket(AF_UNIX, SOCK_DGRAM, 0)); }
static int service(void) { return result(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }
static int internet(void) { return result(socket(AF_INET, SOCK_STREAM, 0)); }
static int datagrams(void) { return result(socket(AF_INET6, SOCK_DGRAM, 0)); }
static int raw(void) { return result(socket(AF_PACKET, SOCK_RAW, 0)); }
static int offer(void) { return result(listen(0, 5)) == ENOTSOCK ? 0 : errno; }
static int start_program(void) { return result(execl("/bin/true", "true", NULL)); }
static int child(void) { return result(fork()); }
static int signal_parent(void) { return result(kill(getppid(), 0)); }
static int signal_self(void) { return result(raise(0)); }
static int become(void) { return result(setuid(geteuid())); }
static int trace(void) { return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL)); }
static int unheard_of(void) { return result(syscall(500)); }

static int descriptor_command(int command, int value)
{
    return result(fcntl(1, command, value));
}

static int own_a_descriptor(void) { return descriptor_command(F_SETOWN, getppid()); }
static int choose_its_signal(void) { return descriptor_command(F_SETSIG, SIGKILL); }
static int ask_for_signals(void) { return descriptor_command(F_SETFL, O_ASYNC); }
static int do_not_block(void) { return descriptor_command(F_SETFL, fcntl(1, F_GETFL)); }
static int duplicate(void) { return descriptor_command(F_DUPFD_CLOEXEC, 3); }
static int own_by_ioctl(void) { int pid = getppid(); return result(ioctl(1, FIOSETOWN, &pid)); }

static int lock(void)
{
    struct flock all = {.l_type = F_RDLCK};

    return result(fcntl(open("own/file", O_RDONLY | O_CLOEXEC), F_SETLK, &all));
}

static void *nothing(void *arg) { return arg; }

static int thread(void)
{
    pthread_t t;
    int why = pthread_create(&t, NULL, nothing, NULL);

    return why != 0 ? why : pthread_join(t, NULL);
}

enum { DIES = 255 };
#define NO_PLACE ((enum sandbox_right)0)

static const struct row {
    const char *name;
    int (*attempt)(void);
    unsigned may;
    enum sandbox_right right; /* at own/ and second/ */
    int with, without;        /* Landlock: what is to come of it */
} rows[] = {
    {"files of others, no places", foreign_file, 0, NO_PLACE, EPERM, EPERM},
    {"files of others", foreign_file, 0, SANDBOX_WRITE, EACCES, 0},
    {"what names need", foreign_file, SANDBOX_NAMES, NO_PLACE, 0, 0},
    {"another folder", other_folder, SANDBOX_NAMES, SANDBOX_WRITE, EACCES, 0},
    {"read", own_file, 0, SANDBOX_READ, 0, 0},
    {"write, may read", own_file_changed, 0, SANDBOX_READ, EACCES, EACCES},
    {"write, may update", own_file_changed, 0, SANDBOX_UPDATE, 0, 0},
    {"make, may read", own_file_made, 0, SANDBOX_READ, EACCES, EACCES},
    {"make, may update", own_file_made, 0, SANDBOX_UPDATE, EACCES, EACCES},
    {"make, may write", own_file_made, 0, SANDBOX_WRITE, 0, 0},
    {"remove, may update", own_file_removed, 0, SANDBOX_UPDATE, EPERM, EPERM},
    {"remove, may write", own_file_removed, 0, SANDBOX_WRITE, 0, 0},
    {"cut, may update", own_file_cut, 0, SANDBOX_UPDATE, EPERM, EPERM},
    {"cut, may write", own_file_cut, 0, SANDBOX_WRITE, 0, 0},
    {"move", own_file_moved, 0, SANDBOX_WRITE, 0, 0},
    {"move away", own_file_taken_away, 0, SANDBOX_WRITE, EACCES, 0},
    {"the log", own_socket, 0, NO_PLACE, 0, 0},
    {"services", service, 0, NO_PLACE, EACCES, EACCES},
    {"services, allowed", service, SANDBOX_SERVICES, NO_PLACE, 0, 0},
    {"internet", internet, SANDBOX_SERVICES, NO_PLACE, EACCES, EACCES},
    {"internet, allowed", internet, SANDBOX_INTERNET, NO_PLACE, 0, 0},
    {"datagrams", datagrams, SANDBOX_SERVICES, NO_PLACE, EACCES, EACCES},
    {"raw sockets", raw, SANDBOX_INTERNET, NO_PLACE, EACCES, EACCES},
    {"listen", offer, SANDBOX_INTERNET, NO_PLACE, ENOSYS, ENOSYS},
    {"listen, allowed", offer, SANDBOX_LISTEN, NO_PLACE, 0, 0},
    {"a program", start_program, SANDBOX_NAMES, SANDBOX_WRITE, EPERM, EPERM},
    {"a child", child, 0, NO_PLACE, EACCES, EACCES},
    {"a thread", thread, 0, NO_PLACE, 0, 0},
    {"a signal to another", signal_parent, 0, NO_PLACE, EACCES, EACCES},
    {"a signal to itself", signal_self, 0, NO_PLACE, 0, 0},
    {"a signal by a descriptor: to whom", own_a_descriptor, 0, NO_PLACE, EACCES, EACCES},
    {"a signal by a descriptor: to whom, by ioctl", own_by_ioctl, 0, NO_PLACE, EACCES, EACCES},
    {"a signal by a descriptor: which", choose_its_signal, 0, NO_PLACE, EACCES, EACCES},
    {"a signal by a descriptor: when", ask_for_signals, 0, NO_PLACE, EACCES, EACCES},
    {"other flags of a descriptor", do_not_block, 0, NO_PLACE, 0, 0},
    {"a duplicate of a descriptor", duplicate, 0, NO_PLACE, 0, 0},
    {"a lock", lock, 0, SANDBOX_READ, 0, 0},
    {"another identity", become, 0, NO_PLACE, EPERM, EPERM},
    {"tracing", trace, 0, NO_PLACE, DIES, DIES},
    {"a system call to come", unheard_of, 0, NO_PLACE, ENOSYS, ENOSYS},
};

static bool without_privileges(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static void touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    (void)close(fd);
}

static int in_sandbox(const struct row *r, bool landlock)
{
    const struct sandbox_place places[] = {{"own", r->right}, {"second", r->right}, {"missing", r->right}};
    struct sandbox s = {r->may, places, r->right == NO_PLACE ? 0 : COUNT_OF(places)};
    struct err err;

    if (!landlock && (!without_privileges() || !forget_landlock() || landlock_version() != 0))
        return 253;
    if (!sandbox_enter(&s, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 254;
    }
    return r->attempt();
}

/* The end of a child that tried: DIES for SIGSYS. */
static int verdict(const struct row *r, bool landlock)
{
    pid_t pid;
    int status;

    touch("own/spare");
    (void)unlink("own/new");
    pid = fork();
    if (pid == 0)
        _exit(in_sandbox(r, landlock));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? DIES : 1000 + WTERMSIG(status);
    return WEXITSTATUS(status);
}

static void try_all(bool landlock)
{
    if (!sandbox_is_built() || (landlock && landlock_version() == 0))
        skip();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int expected = landlock ? rows[i].with : rows[i].without, found = verdict(&rows[i], landlock);

        if (found != expected)
            fail_msg("%s: %d (%s), expected %d", rows[i].name, found, strerror(found), expected);
    }
}

static void with_landlock(void **state)
{
    (void)state;
    try_all(true);
}

static void without_landlock(void **state)
{
    (void)state;
    try_all(false);
}

static void old_kernels_are_told(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0) {
        bool old = without_privileges() && forget_landlock();

        _exit(old && sandbox_missing() != NULL && strstr(sandbox_missing(), "no Landlock") != NULL ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void sources_of_names(void **state)
{
    static const struct {
        slice text;
        bool outside;
    } sources[] = {
        {S_INIT("passwd: files systemd\ngroup: files systemd\nhosts: files dns\nnetgroup: nis\n"), false},
        {S_INIT("passwd:\tfiles [NOTFOUND=return] sss\n"), false},
        {S_INIT("passwd: files nis\n"), true},
        {S_INIT("# passwd: nis\ngroup: files ldap # of the site"), true},
        {S_INIT("passwd: compat"), true}, /* which may name nis elsewhere */
        {S_INIT("passwd: files # nis\n"), false},
        {S_INIT(""), false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sources); i++)
        if (names_ask_outside(sources[i].text) != sources[i].outside)
            fail_msg("%.*s", S_ARG(sources[i].text));
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL || chdir(folder) != 0 || mkdir("own", 0700) != 0 || mkdir("second", 0700) != 0 ||
        mkdir("other", 0700) != 0)
        return -1;
    touch("own/file");
    touch("other/file");
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"own/file", "own/new", "own/spare", "second/spare", "other/file", "other/spare"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++)
        (void)unlink(files[i]);
    (void)rmdir("own");
    (void)rmdir("second");
    (void)rmdir("other");
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_landlock),
        cmocka_unit_test(without_landlock),
        cmocka_unit_test(old_kernels_are_told),
        cmocka_unit_test(sources_of_names),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
