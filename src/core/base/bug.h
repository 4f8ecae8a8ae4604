/* core/base/bug.h - the end of a program that has found itself wrong, or out of memory.
 *
 * A message is on disk or not yet accepted, so dying is safe: master restarts the service. */
#ifndef CORE_BASE_BUG_H
#define CORE_BASE_BUG_H

#include <stddef.h>

#include "core/base/attributes.h"

/* Writes "panic: FORMAT..." to stderr and calls the hook, if one is set (it logs the line), then aborts. */
NORETURN void bug(const char *format, ...) PRINTF_LIKE(1, 2);

/* Sets the function that bug() hands its text to.  Called once, by service start. */
void bug_set_hook(void (*hook)(const char *text));

#define BUG_IF(condition)                                                                                              \
    do {                                                                                                               \
        if (__builtin_expect(!!(condition), 0))                                                                        \
            bug("%s:%d: %s", __FILE__, __LINE__, #condition);                                                          \
    } while (0)

/* malloc, calloc, realloc and strndup that abort instead of failing.  xrealloc_array checks COUNT * SIZE. */
void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes);
void *xrealloc_array(void *old, size_t count, size_t bytes);
char *xstrndup(const char *text, size_t bytes);

#endif
