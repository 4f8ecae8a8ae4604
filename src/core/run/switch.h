/* core/run/switch.h - changing from one stack to another.  For core/run alone.
 *
 * A switch_point is a place of execution that was left and can be gone back to, once.  On x86-64 and aarch64 it is a
 * stack pointer with the registers that calls preserve above it (switch_*.S); elsewhere, or with WAYBILL_SWITCH_UCONTEXT,
 * it is a ucontext_t, which costs system calls per switch.  The floating-point control words are not changed: tasks
 * share them. */
#ifndef CORE_RUN_SWITCH_H
#define CORE_RUN_SWITCH_H

#include <stddef.h>

#if !defined(__x86_64__) && !defined(__aarch64__) && !defined(WAYBILL_SWITCH_UCONTEXT)
#define WAYBILL_SWITCH_UCONTEXT 1
#endif

#ifdef WAYBILL_SWITCH_UCONTEXT
#include <ucontext.h>

struct switch_point {
    ucontext_t context;
    char *lowest;
};
#else
struct switch_point {
    char *stack_pointer;
};
#endif

/* Makes AT a point that starts ENTRY on the stack [LOW, LOW + BYTES).  ENTRY must never return. */
void switch_prepare(struct switch_point *at, char *low, size_t bytes, void (*entry)(void));
/* Leaves here as FROM and goes on at TO. */
void switch_to(struct switch_point *from, struct switch_point *to);
/* Nothing below this address is needed to go back to AT. */
char *switch_lowest(const struct switch_point *at);

#endif
