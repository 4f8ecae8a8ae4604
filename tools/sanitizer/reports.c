/* Linked into every program of a sanitizer build: what a sanitizer finds goes to a file in WAYBILL_FINDINGS, which
 * the tests read (test/harness/findings.py).
 *
 * It is compiled in because nothing else reaches all programs: master, the set-gid commands and the spawner clean
 * the environment, and a daemon's standard error is /dev/null.  Without that folder, as when somebody tries a
 * program by hand, reports go to standard error as usual. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* handle_abort: bug() is a finding, too. */
#define OPTIONS                                                                                                 \
    "strict_string_checks=1:check_initialization_order=1:detect_stack_use_after_return=1:handle_abort=1:print_" \
    "suppressions=0"
#define FINDINGS WAYBILL_FINDINGS "/finding"

/* Called by the sanitizers, before main(). */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
int __lsan_is_turned_off(void);
const char *__lsan_default_suppressions(void);
const char *__asan_default_suppressions(void);

const char *__asan_default_options(void)
{
    return access(WAYBILL_FINDINGS, W_OK) == 0 ? OPTIONS ":log_exe_name=1:log_path=" FINDINGS : OPTIONS;
}

const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1:log_exe_name=1";
}

/* Berkeley DB links its pages by offsets, not pointers, so those of a table that is open at exit look lost.  A table of
 * ours that is lost is still seen, by its own memory. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libdb-";
}

/* ASan wants a NUL after what regexec() is given, even with REG_STARTEND, which says where it ends. */
const char *__asan_default_suppressions(void)
{
    return "interceptor_name:regexec";
}

static int of_mixed_identity(void)
{
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group;

    return getresuid(&real, &effective, &saved) != 0 || getresgid(&real_group, &effective_group, &saved_group) != 0 ||
           real != effective || real != saved || real_group != effective_group || real_group != saved_group;
}

/* A leak is looked for by tracing oneself, which fails where strace does so already and in a set-gid program; and it takes
 * as long as all else that a command does, so that tests may do without. */
int __lsan_is_turned_off(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    int tracer = 0;

    if (status == NULL)
        return 1;
    if (access(WAYBILL_FINDINGS "/leaks-are-fine", F_OK) == 0) {
        (void)fclose(status);
        return 1;
    }
    while (tracer == 0 && fgets(line, sizeof line, status) != NULL)
        (void)sscanf(line, "TracerPid: %d", &tracer);
    (void)fclose(status);
    return tracer != 0 || (geteuid() != 0 && of_mixed_identity());
}

/* gcc has its UBSan in a library of its own, which takes no log_path when ASan is there. */
__attribute__((constructor)) static void direct_ubsan(void)
{
    void *library = dlopen("libubsan.so.1", RTLD_NOLOAD | RTLD_NOW);
    void *found = library == NULL ? NULL : dlsym(library, "__sanitizer_set_report_path");
    void (*set_report_path)(const char *);

    if (found == NULL || access(WAYBILL_FINDINGS, W_OK) != 0)
        return;
    memcpy(&set_report_path, &found, sizeof found);
    set_report_path(FINDINGS);
}
