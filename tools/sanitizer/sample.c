/* sample overflow|undefined|leak|abort|none - does what a sanitizer must find; test/harness/test_findings.py looks
 * whether it is reported from wherever programs of ours run. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void overflow(int one)
{
    volatile char *p = malloc((size_t)one);

    p[one] = 1;
    free((void *)p);
}

static void undefined(int one)
{
    volatile int big = INT_MAX;

    big += one;
}

static void leak(int one)
{
    volatile char *volatile p = malloc((size_t)one);

    p[0] = 1;
    p = NULL;
}

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";

    if (strcmp(what, "overflow") == 0)
        overflow(argc - 1);
    else if (strcmp(what, "undefined") == 0)
        undefined(argc - 1);
    else if (strcmp(what, "leak") == 0)
        leak(argc - 1);
    else if (strcmp(what, "abort") == 0)
        abort();
    else if (strcmp(what, "none") != 0)
        return 64;
    (void)puts("done");
    return 0;
}
