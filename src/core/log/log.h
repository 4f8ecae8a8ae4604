/* core/log/log.h - where log lines go: syslog, a file through postlogd, stdout; and how a line looks on the way.
 *
 * A line is written by one non-blocking system call and never makes a task wait.  While the receiver's queue is full, lines
 * are kept in memory (up to 256 KiB) and go out before the next one, or by log_flush().  What finds no room there either is
 * counted, and the next line that gets through is preceded by one that says how many were lost.
 *   syslog  datagram "<22>Mmm dd hh:mm:ss TAG[PID]: TEXT" to /dev/log; connected at open, so that it works
 *           after chroot and keeps descriptor order (see log_open); for the local time there, tzset() before it
 *   postlog datagram "Mmm dd hh:mm:ss HOST TAG[PID]: TEXT" to the socket PATH (public/postlog)
 *   stdout  the same text as for postlog, one line
 *   stderr  "PROGRAM: TEXT" for commands run by a person, in addition to one of the above
 * TAG is for example "postfix/smtpd".  Severity words ("warning: ", "error: ", "fatal: ", "panic: ") are put before TEXT
 * here.  Bytes that are neither printable nor part of valid UTF-8 become '?'.  Depends on: core/base. */
#ifndef CORE_LOG_LOG_H
#define CORE_LOG_LOG_H

#include "core/base/err.h"
#include "core/base/slice.h"

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR, LOG_LEVEL_FATAL, LOG_LEVEL_PANIC };
enum log_sink { LOG_SINK_NONE, LOG_SINK_SYSLOG, LOG_SINK_POSTLOG, LOG_SINK_STDOUT };

struct log; /* opaque; one per process */

struct log_config {
    enum log_sink sink;
    const char *facility;     /* SYSLOG: "mail", also for NULL and for what is none */
    const char *tag;          /* copied */
    const char *host;         /* for POSTLOG and STDOUT: first label of myhostname; copied */
    const char *postlog_path; /* POSTLOG: the datagram socket, usually "public/postlog"; copied */
    bool also_stderr;         /* as "BASENAME: TEXT" */
    const char *stderr_name;
    bool ascii_only; /* smtputf8_enable = no: UTF-8 becomes '?' as well */
};

/* Opens the sink.  A syslog that is not there is not an error: every line then tries to connect again.  With
 * LOG_SINK_SYSLOG the first free descriptor becomes the socket (postdrop's queue file must be 4 and the socket 3). */
struct log *log_open(const struct log_config *config);
/* Gives lines that are still kept a tenth of a second to get out. */
void log_close(struct log *log);
/* Changes sink or tag later (main.cf has been read). */
void log_reopen(struct log *log, const struct log_config *config);

void log_line(struct log *log, enum log_level level, slice text);
/* Tries once to get kept lines out; true when none is left.  Call it now and then when there is nothing to log. */
bool log_flush(struct log *log);
/* How many lines were lost so far. */
unsigned long log_lost(const struct log *log);

/* "Nov 23 17:18:24" in local time into TO (16 bytes with the NUL). */
void log_print_time(int64_t wall_us, char to[16]);

#endif
