/* mail/service/log_lines.h - gets log lines out that found their reader's queue full, while the loop runs (core/log).
 *
 * Depends on: core/log, core/run, mail/events. */
#ifndef MAIL_SERVICE_LOG_LINES_H
#define MAIL_SERVICE_LOG_LINES_H

/* From the loop's first task, after events_open(). */
void log_lines_begin(void);
/* Before the loop ends; log_close() waits for what is left. */
void log_lines_end(void);

#endif
