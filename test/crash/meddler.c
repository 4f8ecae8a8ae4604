/* meddler PROGRAM N ACTION PID... - follows processes, and their children, until PROGRAM's N-th system call, and spoils that.
 *
 * ACTION "kill": all calls count, and the process dies of SIGKILL before the N-th is made.  Else it is a row, with commas
 * between, of CALL:WHAT:ERROR in numbers: the calls so called count whose first argument is WHAT (a, anything; f, a file;
 * s, a socket or pipe), and the N-th fails with ERROR without being made; ERROR 0 halves what it is to write instead.
 * Prints "ready" and its pid when it has all of them; then "PID CALL" when it has struck, as it ends; the others run on.
 * SIGTERM ends it before that. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "only x86-64 is known here"
#endif

enum { OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC };

static const char *program, *action;
static long left;
static struct {
    pid_t thread;
    unsigned long long call;
    long error;
} failing; /* the call that is not made, until it returns */

/* The first line of /proc/PID/NAME that begins with PREFIX, without that. */
static bool proc_line(pid_t pid, const char *name, const char *prefix, char *to, size_t size)
{
    char path[64];
    FILE *file;
    bool found = false;

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    file = fopen(path, "re");
    while (file && !found && fgets(to, (int)size, file))
        found = strncmp(to, prefix, strlen(prefix)) == 0;
    if (file)
        (void)fclose(file);
    if (!found)
        return false;
    memmove(to, to + strlen(prefix), strlen(to) - strlen(prefix) + 1);
    to[strcspn(to, "\n")] = '\0';
    return true;
}

static pid_t process_of(pid_t thread)
{
    char line[256];

    return proc_line(thread, "status", "Tgid:", line, sizeof line) ? (pid_t)strtol(line, NULL, 10) : thread;
}

static bool is_program(pid_t thread)
{
    char name[64];

    return proc_line(process_of(thread), "comm", "", name, sizeof name) && strcmp(name, program) == 0;
}

/* 'f', 's', or 0 when it is neither. */
static char kind_of(pid_t thread, unsigned long long fd)
{
    char path[64], target[256];
    ssize_t n;

    (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)thread, (int)fd);
    n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return 0;
    target[n] = '\0';
    return target[0] == '/' ? 'f' : strncmp(target, "socket:", 7) == 0 || strncmp(target, "pipe:", 5) == 0 ? 's' : 0;
}

/* Whether this call counts; if so *ERROR is what it would fail with. */
static bool counts(pid_t thread, const struct __ptrace_syscall_info *info, long *error)
{
    const char *row = action;

    if (strcmp(action, "kill") == 0)
        return is_program(thread);
    for (; row; row = strchr(row, ',') ? strchr(row, ',') + 1 : NULL) {
        unsigned long long call;
        char what;

        if (sscanf(row, "%llu:%c:%ld", &call, &what, error) == 3 && call == info->entry.nr
            && (what == 'a' || what == kind_of(thread, info->entry.args[0])) && is_program(thread))
            return true;
    }
    return false;
}

static void set_register(pid_t thread, size_t offset, unsigned long long value)
{
    if (ptrace(PTRACE_POKEUSER, thread, offset, value) != 0)
        perror("meddler: PTRACE_POKEUSER");
}

static void finish(pid_t thread, unsigned long long call)
{
    printf("%d %llu\n", (int)process_of(thread), call);
    exit(0);
}

static void strike(pid_t thread, const struct __ptrace_syscall_info *info, long error)
{
    unsigned long long half = info->entry.args[2] / 2 + info->entry.args[2] % 2;

    if (strcmp(action, "kill") == 0)
        (void)kill(process_of(thread), SIGKILL);
    else if (error == 0)
        set_register(thread, offsetof(struct user, regs.rdx), half);
    else {
        set_register(thread, offsetof(struct user, regs.orig_rax), ULLONG_MAX);
        failing.thread = thread;
        failing.call = info->entry.nr;
        failing.error = error;
        return;
    }
    finish(thread, info->entry.nr);
}

static void at_syscall(pid_t thread)
{
    struct __ptrace_syscall_info info;
    long error = 0;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0)
        return;
    if (failing.thread == thread) {
        set_register(thread, offsetof(struct user, regs.rax), (unsigned long long)-failing.error);
        finish(thread, failing.call);
    }
    if (failing.thread == 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY && counts(thread, &info, &error) && --left == 0)
        strike(thread, &info, error);
}

/* Threads that are made meanwhile by a process of which one is followed already are followed anyhow. */
static bool seize(pid_t process)
{
    char path[64];
    struct dirent *entry;
    DIR *folder;
    bool some = false;

    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    folder = opendir(path);
    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.' && ptrace(PTRACE_SEIZE, (pid_t)strtol(entry->d_name, NULL, 10), NULL, OPTIONS) == 0)
            some = ptrace(PTRACE_INTERRUPT, (pid_t)strtol(entry->d_name, NULL, 10), NULL, NULL) == 0 || some;
    if (folder)
        (void)closedir(folder);
    return some;
}

static void follow(pid_t thread, int status)
{
    int signal = WSTOPSIG(status), event = status >> 16;

    if (signal == (SIGTRAP | 0x80))
        at_syscall(thread);
    if (event == PTRACE_EVENT_STOP && (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)) {
        (void)ptrace(PTRACE_LISTEN, thread, NULL, NULL);
        return;
    }
    /* A signal of its own is passed on; what is only ptrace's is not. */
    (void)ptrace(PTRACE_SYSCALL, thread, NULL, event != 0 || signal == (SIGTRAP | 0x80) ? 0 : signal);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        (void)fprintf(stderr, "usage: meddler PROGRAM N ACTION PID...\n");
        return 2;
    }
    program = argv[1];
    left = strtol(argv[2], NULL, 10);
    action = argv[3];
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 4; i < argc; ++i)
        if (!seize((pid_t)strtol(argv[i], NULL, 10)))
            (void)fprintf(stderr, "meddler: %s: not there\n", argv[i]);
    printf("ready %d\n", (int)getpid());
    for (;;) {
        int status;
        pid_t thread = waitpid(-1, &status, __WALL);

        if (thread < 0 && errno != EINTR)
            return 1; /* all have ended */
        if (thread > 0 && WIFSTOPPED(status))
            follow(thread, status);
    }
}
