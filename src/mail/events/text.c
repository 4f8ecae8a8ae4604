#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "core/base/cut.h"
#include "mail/events/process.h"

enum { TEXT_BYTES = 3072 };

/* Belongs to the process: one log, one way to end. */
static struct {
    struct log *log;
    void (*after_line)(void), (*on_fatal)(void);
    int fatal_status;
    bool fatal_at_once, internal_addresses;
} process = {.fatal_status = 1};

void events_open(struct log *log)
{
    process.log = log;
}

struct log *events_log(void)
{
    return process.log;
}

void events_address_form(bool internal)
{
    process.internal_addresses = internal;
}

bool events_has_internal_addresses(void)
{
    return process.internal_addresses;
}

void events_after_line(void (*fn)(void))
{
    process.after_line = fn;
}

void events_on_fatal(void (*fn)(void))
{
    process.on_fatal = fn;
}

void events_set_fatal(int exit_status, bool pause)
{
    process.fatal_status = exit_status;
    process.fatal_at_once = !pause;
}

static const char *severity(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_WARNING:
        return "warning: ";
    case LOG_LEVEL_ERROR:
        return "error: ";
    case LOG_LEVEL_FATAL:
        return "fatal: ";
    case LOG_LEVEL_PANIC:
        return "panic: ";
    case LOG_LEVEL_INFO:
        break;
    }
    return "";
}

void process_line(enum log_level level, slice text)
{
    int code = errno;

    if (process.log != NULL)
        log_line(process.log, level, text);
    else
        (void)fprintf(stderr, "%s: %s%.*s\n", program_invocation_short_name, severity(level), S_ARG(text));
    if (process.after_line != NULL)
        process.after_line();
    errno = code;
}

static void print_line(enum log_level level, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void print_line(enum log_level level, const char *format, va_list arguments)
{
    char text[TEXT_BYTES];
    int code = errno, n;

    n = vsnprintf(text, sizeof text, format, arguments);
    if (n < 0)
        n = 0;
    errno = code;
    process_line(level, slice_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

void event_info(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_line(LOG_LEVEL_INFO, format, arguments);
    va_end(arguments);
}

void event_warning(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_line(LOG_LEVEL_WARNING, format, arguments);
    va_end(arguments);
}

void event_warning_lines(slice lines)
{
    slice line;

    while (cut_field(&lines, '\n', &line))
        if (cut_prefix(&line, S("error: ")))
            process_line(LOG_LEVEL_ERROR, line);
        else if (line.n > 0)
            process_line(LOG_LEVEL_WARNING, line);
}

void event_look_up_failed(const char *table, slice key, const struct err *err)
{
    if (!slice_starts(slice_text(table), S("fail:"))) /* which has nothing more to say */
        event_warning("%s", err->text);
    event_warning("%s lookup error for \"%.*s\"", table, S_ARG(key));
}

void event_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_line(LOG_LEVEL_ERROR, format, arguments);
    va_end(arguments);
}

void event_line(enum log_level level, slice text)
{
    process_line(level, text);
}

void event_packet(slice packet)
{
    log_packet(process.log, packet);
    if (process.after_line != NULL)
        process.after_line();
}

void event_fatal(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_line(LOG_LEVEL_FATAL, format, arguments);
    va_end(arguments);
    if (process.on_fatal != NULL)
        process.on_fatal();
    if (!process.fatal_at_once)
        (void)sleep(1);
    log_close(process.log);
    exit(process.fatal_status);
}
