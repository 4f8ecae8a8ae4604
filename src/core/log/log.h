/* core/log/log.h - where log lines go: syslog, a file through postlogd, stdout; and how a line looks on the way.
 *
 * No line is lost because its reader is slow.  A line goes out by one non-blocking system call; when the reader's queue is
 * full, the process waits, up to a second.  A reader that has taken nothing for a second counts as dead: lines are dropped
 * without waiting, and counted, until it takes one again; that one is preceded by one that says how many were lost.
 * A program with a loop says log_keep(): then what finds no room is kept first (up to 256 KiB), and is waited for only when
 * that is full, up to five seconds between two log_flush(), so that no watchdog barks.  What is kept goes out in order.
 * Where nobody reads at all (no socket, or nobody behind it), nothing is waited for; that is counted, too.
 * A child of fork() starts without what its parent keeps, and keeps nothing.  A signal handler's line goes out if it can.
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
/* Waits for a reader that has not taken what is kept, or the number of the lost: up to a second without one taken. */
void log_close(struct log *log);
/* Changes sink or tag later (main.cf has been read).  What is kept for another sink is waited for as in log_close(). */
void log_reopen(struct log *log, const struct log_config *config);

void log_line(struct log *log, enum log_level level, slice text);
/* PACKET was made elsewhere, as the sink (SYSLOG or POSTLOG) wants it; else as log_line(). */
void log_packet(struct log *log, slice packet);

/* From now on lines that find no room are kept, since the caller tries again with log_flush(). */
void log_keep(struct log *log);
/* Tries once, without waiting, to get out what is kept, and how many lines were lost. */
void log_flush(struct log *log);
/* After how many milliseconds log_flush() has something to try; 0: nothing is left to tell. */
int log_retry_ms(const struct log *log);
/* Something waits, and not yet for a second without a line taken: not the time to end for want of work. */
bool log_has_kept(const struct log *log);
/* How many lines were lost so far. */
unsigned long log_lost(const struct log *log);

/* "Nov 23 17:18:24" in local time into TO (16 bytes with the NUL). */
void log_print_time(int64_t wall_us, char to[16]);

#endif
