/* core/base/banned.h - functions nobody may call here; included before everything by the build.
 *
 * Unbounded copies, silent number parsing and calls with hidden state.  What to use: struct buf, cut_int(), slices. */
#ifndef CORE_BASE_BANNED_H
#define CORE_BASE_BANNED_H
#ifndef __ASSEMBLER__

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets atoi atol atoll strtok tmpnam mktemp

#endif
#endif
