/* Which system calls a declaration allows: sets of them, each for one purpose. */
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/sandbox/inner.h"

/* ---- what every daemon does ---- */

static const int waiting[] = {
    SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, 441 /* epoll_pwait2 */, SYS_eventfd2, SYS_signalfd4,
    SYS_ppoll, SYS_pselect6, SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime, SYS_wait4, SYS_waitid,
    SYS_restart_syscall,
#if defined(__x86_64__)
    SYS_epoll_create, SYS_epoll_wait, SYS_eventfd, SYS_poll, SYS_select, SYS_pause,
#endif
};

static const int threads_and_memory[] = {
    SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_brk, SYS_mincore, SYS_msync, SYS_memfd_create,
    SYS_membarrier, SYS_futex, 449 /* futex_waitv */, 454, 455, 456 /* futex_wake, _wait, _requeue */,
    SYS_set_robust_list, SYS_get_robust_list, SYS_rseq, SYS_set_tid_address, SYS_exit, SYS_exit_group,
    SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_getparam, SYS_sched_getscheduler, SYS_sched_get_priority_max,
    SYS_sched_get_priority_min, SYS_getcpu,
#if defined(__x86_64__)
    SYS_arch_prctl,
#endif
};

static const int signals_to_itself[] = {
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigsuspend, SYS_rt_sigtimedwait,
    SYS_rt_sigpending, SYS_sigaltstack,
};

static const int clocks_and_identity[] = {
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_times,
    SYS_getitimer, SYS_setitimer, SYS_getrandom, SYS_uname, SYS_sysinfo, SYS_getrlimit, SYS_getrusage, SYS_getpid,
    SYS_getppid, SYS_gettid, SYS_getpgid, SYS_getsid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
    SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_getpriority, SYS_umask, SYS_getcwd,
#if defined(__x86_64__)
    SYS_time, SYS_getpgrp, SYS_alarm,
#endif
};

/* fstat() may be newfstatat(); what stat() tells of a path is no secret worth a slower fstat(). */
static const int open_descriptors[] = {
    SYS_read, SYS_readv, SYS_pread64, SYS_preadv, SYS_preadv2, SYS_write, SYS_writev, SYS_pwrite64, SYS_pwritev,
    SYS_pwritev2, SYS_lseek, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_fstatfs, SYS_fsync, SYS_fdatasync,
    SYS_syncfs, SYS_sync_file_range, SYS_ftruncate, SYS_fallocate, SYS_fadvise64, SYS_flock, SYS_fchmod, SYS_dup, SYS_dup3,
    SYS_pipe2, SYS_close, SYS_close_range,
#if defined(__x86_64__)
    SYS_stat, SYS_lstat, SYS_dup2, SYS_pipe,
#endif
};

static const int open_sockets[] = {
    SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_connect, SYS_accept,
    SYS_accept4, SYS_shutdown, SYS_getsockname, SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_socketpair,
};

/* ---- what some do ---- */

static const int paths_read[] = {
    SYS_faccessat, 439 /* faccessat2 */, SYS_readlinkat, SYS_getdents64, SYS_statfs, SYS_inotify_init1,
    SYS_inotify_add_watch, SYS_inotify_rm_watch,
#if defined(__x86_64__)
    SYS_access, SYS_readlink, SYS_getdents,
#endif
};

static const int paths_changed[] = {
    SYS_renameat, SYS_renameat2, SYS_unlinkat, SYS_mkdirat, SYS_linkat, SYS_fchmodat, 452 /* fchmodat2 */,
    SYS_utimensat, SYS_truncate,
#if defined(__x86_64__)
    SYS_rename, SYS_unlink, SYS_rmdir, SYS_mkdir, SYS_link, SYS_chmod, SYS_utime, SYS_utimes, SYS_creat,
#endif
};

static const int sockets_named[] = {SYS_bind};
static const int sockets_offered[] = {SYS_bind, SYS_listen};

/* ---- what none does ---- */

/* Known, and refused in a way that a library understands. */
static const int refused[] = {
    SYS_execve, SYS_execveat, SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid,
    SYS_setgroups, SYS_setfsuid, SYS_setfsgid, SYS_capset, SYS_chroot, SYS_tkill, SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo, 424 /* pidfd_send_signal */, 434 /* pidfd_open */, 438 /* pidfd_getfd */, SYS_fchown,
    SYS_fchownat, SYS_symlinkat, SYS_mknodat,
#if defined(__x86_64__)
    SYS_fork, SYS_vfork, SYS_chown, SYS_lchown, SYS_symlink, SYS_mknod,
#endif
};

static const int killed[] = {
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_mount, SYS_umount2, SYS_pivot_root,
    428 /* open_tree */, 429 /* move_mount */, 430 /* fsopen */, 442 /* mount_setattr */, SYS_init_module,
    SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_bpf, SYS_unshare,
    SYS_setns,
#if defined(__x86_64__)
    SYS_kexec_file_load, SYS_iopl, SYS_ioperm,
#endif
};

static void set_all(struct call_table *t, const int *numbers, size_t n, enum verdict verdict)
{
    for (size_t i = 0; i < n; i++) {
        BUG_IF(numbers[i] < 0 || numbers[i] >= CALLS_MOST);
        t->verdicts[numbers[i]] = (uint8_t)verdict;
    }
}

#define SET(table, numbers, verdict) set_all(table, numbers, COUNT_OF(numbers), verdict)

/* ---- calls that depend on what they are asked ---- */

static void allow_if(struct call_table *t, struct argument_rule rule)
{
    BUG_IF(t->rule_count == RULES_MOST);
    t->verdicts[rule.number] = VERDICT_CHECK;
    t->rules[t->rule_count++] = rule;
}

/* Argument INDEX, as far as MASK goes, must be VALUE. */
static void allow_value(struct call_table *t, int number, unsigned index, uint32_t mask, uint32_t value)
{
    allow_if(t, (struct argument_rule){number, {{index, mask, value}}});
}

enum { ANY_BIT = -1, TYPE_OF_SOCKET = 0xf };

/* A descriptor's owner gets any signal that was asked for when something comes in: F_SETOWN, F_SETOWN_EX and F_SETSIG would
 * kill, and so does O_ASYNC with an owner set before. */
static void choose_descriptor_commands(struct call_table *t)
{
    static const uint32_t commands[] = {
        F_GETFL, F_OFD_SETLK, F_OFD_SETLKW, F_SETLK, F_SETLKW, F_GETLK, F_OFD_GETLK, F_GETFD, F_SETFD, F_DUPFD,
        F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_SETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS, 1027 /* F_DUPFD_QUERY */,
    };

    allow_if(t, (struct argument_rule){SYS_fcntl, {{1, ANY_BIT, F_SETFL}, {2, O_ASYNC, 0}}});
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        allow_value(t, SYS_fcntl, 1, ANY_BIT, commands[i]);
}

static void choose_for_itself(struct call_table *t)
{
    static const uint32_t controls[] = {
        PR_SET_NAME,     PR_GET_NAME,      PR_SET_PDEATHSIG, PR_GET_PDEATHSIG,  PR_GET_DUMPABLE,
        PR_CAPBSET_READ, PR_GET_KEEPCAPS,  PR_GET_SECCOMP,   PR_GET_SECUREBITS, PR_GET_NO_NEW_PRIVS,
        0x53564d41 /* PR_SET_VMA: names of memory */,
    };
    static const uint32_t requests[] = {0x5401 /* TCGETS */, 0x541b /* FIONREAD */, 0x5421 /* FIONBIO */};
    uint32_t self = (uint32_t)getpid();

    for (size_t i = 0; i < COUNT_OF(controls); i++)
        allow_value(t, SYS_prctl, 0, ANY_BIT, controls[i]);
    for (size_t i = 0; i < COUNT_OF(requests); i++)
        allow_value(t, SYS_ioctl, 1, ANY_BIT, requests[i]);
    allow_value(t, SYS_kill, 0, ANY_BIT, self);
    allow_value(t, SYS_tgkill, 0, ANY_BIT, self);
    allow_value(t, SYS_prlimit64, 0, ANY_BIT, 0);
    allow_value(t, SYS_prlimit64, 0, ANY_BIT, self);
    /* Threads.  Of clone3 nothing can be seen, and who is told that there is none takes clone. */
    allow_value(t, SYS_clone, 0, CLONE_THREAD, CLONE_THREAD);
}

static void allow_socket(struct call_table *t, uint32_t domain, uint32_t type)
{
    allow_if(t, (struct argument_rule){SYS_socket, {{0, ANY_BIT, domain}, {1, TYPE_OF_SOCKET, type}}});
}

static void choose_sockets(struct call_table *t, unsigned may)
{
    allow_socket(t, AF_UNIX, SOCK_DGRAM); /* the log */
    if ((may & (SANDBOX_SERVICES | SANDBOX_NAMES)) != 0)
        allow_socket(t, AF_UNIX, SOCK_STREAM);
    if ((may & (SANDBOX_NAMES | SANDBOX_INTERNET)) != 0)
        allow_value(t, SYS_socket, 0, ANY_BIT, AF_NETLINK); /* which kinds of address this machine has */
    if ((may & SANDBOX_INTERNET) != 0) {
        allow_socket(t, AF_INET, SOCK_STREAM);
        allow_socket(t, AF_INET, SOCK_DGRAM);
        allow_socket(t, AF_INET6, SOCK_STREAM);
        allow_socket(t, AF_INET6, SOCK_DGRAM);
        allow_value(t, SYS_ioctl, 1, ANY_BIT, 0x8910); /* SIOCGIFNAME, SIOCGIFINDEX */
        allow_value(t, SYS_ioctl, 1, ANY_BIT, 0x8933);
    }
    if ((may & (SANDBOX_NAMES | SANDBOX_INTERNET)) != 0)
        SET(t, sockets_named, VERDICT_ALLOW);
    if ((may & SANDBOX_LISTEN) != 0)
        SET(t, sockets_offered, VERDICT_ALLOW);
}

/* ---- files ---- */

static enum sandbox_right most_of(const struct sandbox *s)
{
    enum sandbox_right most = (s->may & SANDBOX_NAMES) != 0 ? SANDBOX_READ : 0;

    for (size_t i = 0; i < s->place_count; i++)
        if (s->places[i].right > most)
            most = s->places[i].right;
    return most;
}

/* Where there is no Landlock, who has no place to write makes no files all the same. */
static void choose_files(struct call_table *t, enum sandbox_right most)
{
#if defined(__x86_64__)
    static const int opening[] = {SYS_openat, SYS_open};
#else
    static const int opening[] = {SYS_openat};
#endif
    const uint32_t makes = O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY), writes = O_ACCMODE | makes;

    if (most == 0) {
        SET(t, opening, VERDICT_REFUSE);
        return;
    }
    SET(t, paths_read, VERDICT_ALLOW);
    SET(t, opening, VERDICT_ALLOW);
    if (most == SANDBOX_WRITE)
        SET(t, paths_changed, VERDICT_ALLOW);
    for (size_t i = 0; most != SANDBOX_WRITE && i < COUNT_OF(opening); i++)
        allow_value(t, opening[i], opening[i] == SYS_openat ? 2 : 1, most == SANDBOX_READ ? writes : makes, O_RDONLY);
}

void calls_choose(const struct sandbox *s, struct call_table *out)
{
    *out = (struct call_table){0};
    SET(out, waiting, VERDICT_ALLOW);
    SET(out, threads_and_memory, VERDICT_ALLOW);
    SET(out, signals_to_itself, VERDICT_ALLOW);
    SET(out, clocks_and_identity, VERDICT_ALLOW);
    SET(out, open_descriptors, VERDICT_ALLOW);
    SET(out, open_sockets, VERDICT_ALLOW);
    SET(out, refused, VERDICT_REFUSE);
    SET(out, killed, VERDICT_KILL);
    SET(out, paths_changed, VERDICT_REFUSE);
    choose_descriptor_commands(out);
    choose_for_itself(out);
    choose_sockets(out, s->may);
    choose_files(out, most_of(s));
}
