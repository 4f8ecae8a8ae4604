/* core/log/own_pid.h - the process's id, without a system call for each time it is wanted.
 *
 * It is kept in a page that is all zeroes in a forked child, however that was made: so a child never takes itself for its parent.
 * For core/log alone. */
#ifndef CORE_LOG_OWN_PID_H
#define CORE_LOG_OWN_PID_H

#include <sys/types.h>

struct own_pid {
    pid_t *kept; /* NULL: there is no such page, and the kernel is asked each time */
};

void own_pid_init(struct own_pid *o);
void own_pid_done(struct own_pid *o);
pid_t own_pid_get(const struct own_pid *o);

#endif
