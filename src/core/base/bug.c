#include "core/base/bug.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_BYTES = 1024 };

static void (*bug_hook)(const char *text);

void bug_set_hook(void (*hook)(const char *text))
{
    bug_hook = hook;
}

void bug(const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)fprintf(stderr, "panic: %s\n", text);
    if (bug_hook != NULL)
        bug_hook(text);
    abort();
}

/* Not inlined: the compiler would make a calloc() of it in xcalloc(). */
NOINLINE void *xmalloc(size_t bytes)
{
    void *p = malloc(bytes > 0 ? bytes : 1);

    if (p == NULL)
        bug("out of memory for %zu bytes", bytes);
    return p;
}

void *xcalloc(size_t count, size_t bytes)
{
    void *p;

    /* glibc's calloc() goes past its cache of small pieces, and takes ten times as long. */
    if (count == 1 && bytes > 0 && bytes <= SMALL_BYTES)
        return memset(xmalloc(bytes), 0, bytes);
    p = calloc(count > 0 ? count : 1, bytes > 0 ? bytes : 1);

    if (p == NULL)
        bug("out of memory for %zu x %zu bytes", count, bytes);
    return p;
}

void *xrealloc_array(void *old, size_t count, size_t bytes)
{
    void *p = reallocarray(old, count > 0 ? count : 1, bytes > 0 ? bytes : 1);

    if (p == NULL)
        bug("out of memory for %zu x %zu bytes", count, bytes);
    return p;
}

char *xstrndup(const char *text, size_t bytes)
{
    char *p = xmalloc(bytes + 1);

    memcpy(p, text, bytes);
    p[bytes] = '\0';
    return p;
}
