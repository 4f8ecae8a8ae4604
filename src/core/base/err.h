/* core/base/err.h - what went wrong, in the caller's frame.
 *
 * A fallible function returns bool and takes a `struct err *` last: true, or false with *err set.  Reporting never
 * allocates.  The text is one line that names what failed on what and is complete as it stands.
 * An error is our own failure, not a message's fate: that is struct outcome (mail/envelope). */
#ifndef CORE_BASE_ERR_H
#define CORE_BASE_ERR_H

#include <stdbool.h>

#include "core/base/attributes.h"

enum err_kind {
    ERR_NONE = 0,
    ERR_SYS,       /* a system call failed; err.sys is its errno */
    ERR_TIMEOUT,   /* a deadline passed */
    ERR_CANCELLED, /* the task was cancelled */
    ERR_PEER,      /* the other side closed early or broke the protocol */
    ERR_SYNTAX,    /* bad input; the text says what and where */
    ERR_LIMIT,     /* a size, count or memory cap was reached */
    ERR_CONFIG,    /* a configuration value cannot be used */
    ERR_CORRUPT,   /* a queue file or other own file is damaged */
    ERR_NOT_FOUND, /* something that had to exist does not */
    ERR_REFUSED,   /* the other side answered: no */
    ERR_TEMPORARY, /* the other side, or a table, cannot answer now */
};

struct err {
    enum err_kind kind;
    int sys;        /* errno, or 0 */
    char text[504]; /* never empty when kind is set */
};

/* All return false, so that `return err_set(err, ERR_LIMIT, "...")` is one line.  ERR may not be NULL. */
bool err_set(struct err *err, enum err_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);
/* ERR_SYS from errno: "FORMAT...: No such file or directory". */
bool err_sys(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);
/* Puts "FORMAT...: " in front of the text on its way up; the kind stays. */
bool err_note(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);
void err_clear(struct err *err);

#endif
