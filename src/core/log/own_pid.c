#include "core/log/own_pid.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

void own_pid_init(struct own_pid *o)
{
    void *page = mmap(NULL, sizeof *o->kept, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    o->kept = page == MAP_FAILED ? NULL : page;
    if (o->kept != NULL && madvise(page, sizeof *o->kept, MADV_WIPEONFORK) != 0)
        own_pid_done(o);
}

void own_pid_done(struct own_pid *o)
{
    if (o->kept != NULL)
        (void)munmap(o->kept, sizeof *o->kept);
    o->kept = NULL;
}

pid_t own_pid_get(const struct own_pid *o)
{
    if (o->kept == NULL)
        return getpid();
    if (*o->kept == 0)
        *o->kept = getpid();
    return *o->kept;
}
