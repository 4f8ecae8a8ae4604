#include "core/run/switch.h"

#ifdef WAYBILL_SWITCH_UCONTEXT

#include <signal.h>

/* swapcontext() itself runs below the frame that is left. */
enum { BELOW_FRAME = 2048 };

void switch_prepare(struct switch_point *at, char *low, size_t bytes, void (*entry)(void))
{
    (void)getcontext(&at->context);
    at->context.uc_stack.ss_sp = low;
    at->context.uc_stack.ss_size = bytes;
    at->context.uc_link = NULL;
    makecontext(&at->context, entry, 0);
    at->lowest = low + bytes - BELOW_FRAME;
}

void switch_to(struct switch_point *from, struct switch_point *to)
{
    /* The signal mask belongs to the process, not to a task, but swapcontext() restores the one that TO was left with. */
    (void)pthread_sigmask(SIG_BLOCK, NULL, &to->context.uc_sigmask);
    from->lowest = (char *)__builtin_frame_address(0) - BELOW_FRAME;
    (void)swapcontext(&from->context, &to->context);
}

char *switch_lowest(const struct switch_point *at)
{
    return at->lowest;
}

#else

#include <stdint.h>
#include <string.h>

/* In switch_*.S: saves registers, stores the stack pointer to *SAVED, loads the stack pointer TO, restores. */
void switch_jump(char **saved, char *to);
/* Where a new stack begins: calls the function whose address lies in the first saved register. */
void switch_boot(void);

#if defined(__x86_64__)
enum { SAVED_WORDS = 7, ENTRY_WORD = 3, RETURN_WORD = 6, RED_ZONE = 128 };
#else
enum { SAVED_WORDS = 20, ENTRY_WORD = 0, RETURN_WORD = 11, RED_ZONE = 0 };
#endif

void switch_prepare(struct switch_point *at, char *low, size_t bytes, void (*entry)(void))
{
    uintptr_t words[SAVED_WORDS] = {0};
    uintptr_t top = ((uintptr_t)low + bytes) & ~(uintptr_t)15;

    words[ENTRY_WORD] = (uintptr_t)entry;
    words[RETURN_WORD] = (uintptr_t)switch_boot;
    /* On x86-64 the return pops one word more, which leaves the stack as aligned as TOP. */
    at->stack_pointer = (char *)top - sizeof words;
    memcpy(at->stack_pointer, words, sizeof words);
}

void switch_to(struct switch_point *from, struct switch_point *to)
{
    switch_jump(&from->stack_pointer, to->stack_pointer);
}

char *switch_lowest(const struct switch_point *at)
{
    return at->stack_pointer - RED_ZONE;
}

#endif
