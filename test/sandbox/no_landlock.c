/* no_landlock PROGRAM ARG... - runs it as under a kernel without Landlock.  For root, so that set-id programs work. */
#include <stdio.h>
#include <unistd.h>

#include "core/sandbox/test_support.h"

int main(int argc, char **argv)
{
    if (argc < 2 || !forget_landlock())
        return 2;
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 2;
}
