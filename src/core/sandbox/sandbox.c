#include "core/sandbox/sandbox.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/sandbox/inner.h"

#if defined(WAYBILL_SANDBOX)
#define IS_BUILT true
#else
#define IS_BUILT false
#endif

bool sandbox_is_built(void)
{
    return IS_BUILT;
}

static bool has_seccomp(void)
{
    const uint32_t errno_action = SECCOMP_RET_ERRNO;

    return filter_is_known() && syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &errno_action) == 0;
}

const char *sandbox_missing(void)
{
    bool landlock = landlock_version() > 0, seccomp = has_seccomp();

    if (!landlock && !seccomp)
        return "this kernel has neither Landlock nor seccomp: services are confined by their user's rights alone";
    if (!landlock)
        return "this kernel has no Landlock: services are confined by seccomp alone";
    return seccomp ? NULL : "this kernel has no seccomp: services are confined by Landlock alone";
}

static bool load(struct filter *f, struct err *err)
{
    struct sock_fprog program = {f->length, f->code};

    /* Nothing here keeps secrets of its own from speculation, and that would cost each call. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0 ||
        (errno == EINVAL && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0))
        return true;
    return err_sys(err, "seccomp");
}

static bool seccomp_enter(const struct sandbox *s, struct err *err)
{
    struct call_table *table = xcalloc(1, sizeof *table);
    struct filter *filter = xcalloc(1, sizeof *filter);
    bool ok;

    calls_choose(s, table);
    filter_compile(table, filter);
    ok = load(filter, err);
    free(filter);
    free(table);
    return ok;
}

bool sandbox_enter(const struct sandbox *s, struct err *err)
{
    struct sandbox all = *s;

    if (!IS_BUILT)
        return true;
    if ((all.may & SANDBOX_NAMES) != 0) {
        names_load();
        if (names_need_internet())
            all.may |= SANDBOX_INTERNET;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_sys(err, "no_new_privs");
    return landlock_enter(&all, err) && (!has_seccomp() || seccomp_enter(&all, err));
}
