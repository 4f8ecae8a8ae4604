/* core/base/fault.h - named fault points, so that tests can make any fallible step fail.
 *
 * `if (fault("queue.rename") || rename(...) != 0)`: false in normal life (and compiled to false without
 * WAYBILL_FAULTS).  The environment variable WAYBILL_FAULT="name:n[:errno][,...]" makes the n-th pass of that point
 * return true with errno set (EIO unless given).  "kill" in place of errno ends the process there with SIGKILL.
 * WAYBILL_FAULT is honoured only when real and effective ids are equal. */
#ifndef CORE_BASE_FAULT_H
#define CORE_BASE_FAULT_H

#include <stdbool.h>

#ifdef WAYBILL_FAULTS
bool fault(const char *name);
#else
static inline bool fault(const char *name)
{
    (void)name;
    return false;
}
#endif

#endif
