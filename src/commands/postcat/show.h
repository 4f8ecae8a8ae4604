/* commands/postcat/show.h - one queue file as text on stdout, as Debian's postcat prints it. */
#ifndef COMMANDS_POSTCAT_SHOW_H
#define COMMANDS_POSTCAT_SHOW_H

#include <stdint.h>

enum show_flags {
    SHOW_ENVELOPE = 1,
    SHOW_HEADER = 2,
    SHOW_BODY = 4,
    SHOW_OFFSETS = 8,
    SHOW_TYPES = 16,
    SHOW_VERBOSE = 32, /* text records by name, pointer and padding records too */
    SHOW_RAW = 64,     /* pointers are shown (with VERBOSE) and not followed; the end record does not end */
    SHOW_FILE_NAME = 128,
};

/* Shows FD, from START on when that is not 0.  Damage is a warning; a record that cannot be read is fatal. */
void show_file(int fd, const char *name, unsigned flags, int64_t start);

#endif
