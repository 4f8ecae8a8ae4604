/* puppet PID - makes a running process try system calls, and says what came of them.
 *
 * Each line of the input is a call: its number and up to six arguments, each a number, "TEXT (its address, in the process),
 * or xHEX (bytes, likewise).  Each line of the output is what the call returned (an error as -errno), or "dead SIGNAL".  The
 * process stops meanwhile, and goes on where it was at the end of the input.  x86-64. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { ARGUMENTS = 6, ROOM = 512, BELOW_STACK = 8192, SYSCALL_BYTES = 2, SYSCALL_CODE = 0x050f };

static pid_t pid;

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

/* False: it has died, which has been said. */
static int wait_for_stop(void)
{
    int status;

    if (waitpid(pid, &status, __WALL) != pid)
        fail("waitpid");
    if (WIFSTOPPED(status))
        return 1;
    printf("dead %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    fflush(stdout);
    return 0;
}

static void put(unsigned long to, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i += sizeof(long)) {
        unsigned long word = 0;

        memcpy(&word, bytes + i, n - i < sizeof word ? n - i : sizeof word);
        if (ptrace(PTRACE_POKEDATA, pid, to + i, word) != 0)
            fail("poke");
    }
}

static size_t from_hex(const char *text, unsigned char *out)
{
    size_t n = 0;

    for (unsigned byte; n < ROOM && sscanf(text + 2 * n, "%2x", &byte) == 1; n++)
        out[n] = (unsigned char)byte;
    return n;
}

/* *ROOM_AT moves on by what was put there. */
static unsigned long argument(const char *word, unsigned long *room_at)
{
    unsigned char bytes[ROOM];
    unsigned long at = *room_at;
    size_t n;

    if (word[0] != '"' && word[0] != 'x')
        return strtoul(word, NULL, 0);
    if (word[0] == 'x') {
        n = from_hex(word + 1, bytes);
    } else {
        n = strlen(word);
        memcpy(bytes, word + 1, n);
    }
    put(at, bytes, n);
    *room_at += ROOM;
    return at;
}

static void stop(struct user_regs_struct *regs)
{
    for (int tries = 0; tries < 1000; tries++) {
        if (ptrace(tries == 0 ? PTRACE_SEIZE : PTRACE_CONT, pid, NULL, NULL) != 0)
            fail("ptrace");
        if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0)
            fail("interrupt");
        if (!wait_for_stop())
            exit(2);
        if (ptrace(PTRACE_GETREGS, pid, NULL, regs) != 0)
            fail("registers");
        if ((ptrace(PTRACE_PEEKTEXT, pid, regs->rip - SYSCALL_BYTES, NULL) & 0xffff) == SYSCALL_CODE)
            return; /* it was in a system call: where another can be made */
    }
    fail("it never waits");
}

/* 0: it has died. */
static int call(const struct user_regs_struct *at_rest, char *line)
{
    struct user_regs_struct regs = *at_rest;
    unsigned long number, values[ARGUMENTS] = {0}, room_at = (regs.rsp - BELOW_STACK) & ~15UL;
    char *word = strtok(line, " \n");

    regs.rip -= SYSCALL_BYTES;
    regs.rax = number = strtoul(word, NULL, 0);
    regs.orig_rax = -1UL;
    for (int i = 0; i < ARGUMENTS && (word = strtok(NULL, " \n")) != NULL; i++)
        values[i] = argument(word, &room_at);
    regs.rdi = values[0];
    regs.rsi = values[1];
    regs.rdx = values[2];
    regs.r10 = values[3];
    regs.r8 = values[4];
    regs.r9 = values[5];
    if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) != 0)
        fail("set registers");
    for (int stops = 0; stops < 2; stops++) /* on the way in, and out */
        if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) != 0)
            fail("go on");
        else if (!wait_for_stop())
            return 0;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
        fail("registers");
    if (regs.rax == number) { /* as it was before: the call was not made, and a deadly signal may be next */
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0)
            fail("step");
        if (!wait_for_stop())
            return 0;
    }
    printf("%ld\n", (long)regs.rax);
    fflush(stdout);
    return 1;
}

int main(int argc, char **argv)
{
    struct user_regs_struct at_rest;
    char line[2000];

    if (argc != 2)
        return 2;
    pid = atoi(argv[1]);
    stop(&at_rest);
    while (fgets(line, sizeof line, stdin) != NULL)
        if (!call(&at_rest, line))
            return 0;
    if (ptrace(PTRACE_SETREGS, pid, NULL, &at_rest) != 0 || ptrace(PTRACE_DETACH, pid, NULL, NULL) != 0)
        fail("detach");
    return 0;
}
