#include "core/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

PRINTF_LIKE(2, 0) static void print(struct err *err, const char *format, va_list args)
{
    (void)vsnprintf(err->text, sizeof err->text, format, args);
}

bool err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
    va_list args;

    err->kind = kind;
    err->sys = 0;
    va_start(args, format);
    print(err, format, args);
    va_end(args);
    return false;
}

bool err_sys(struct err *err, const char *format, ...)
{
    int code = errno;
    va_list args;
    size_t used;

    err->kind = ERR_SYS;
    err->sys = code;
    va_start(args, format);
    print(err, format, args);
    va_end(args);
    used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(code));
    errno = code;
    return false;
}

bool err_note(struct err *err, const char *format, ...)
{
    char rest[sizeof err->text];
    va_list args;
    size_t used;

    memcpy(rest, err->text, sizeof rest);
    va_start(args, format);
    print(err, format, args);
    va_end(args);
    used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof err->text - used, ": %s", rest);
    return false;
}

void err_clear(struct err *err)
{
    err->kind = ERR_NONE;
    err->sys = 0;
    err->text[0] = '\0';
}
