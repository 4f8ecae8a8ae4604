/* mail/queue/reader.h - reads a queue file's records in logical order, following pointer records.
 *
 * Reads 16384 bytes at a time, or 4096 from where FD stands (as pickup's system calls are written down), through a buffer of
 * its own.  Never trusts the file: record length, pointer targets and jump counts are bounded.  Blocks, does not suspend.
 * Source: queue-file.md sections 1, 5. */
#ifndef MAIL_QUEUE_READER_H
#define MAIL_QUEUE_READER_H

#include "core/base/err.h"
#include "mail/queue/record.h"

struct queue_reader;

/* Reads from FD (not owned) at its current position.  NAME is for error texts; copied.  LIMIT: largest record (0: none). */
struct queue_reader *queue_reader_open(int fd, const char *name, size_t limit);
/* Likewise from START on, of a file; its position does not matter, and stays. */
struct queue_reader *queue_reader_open_at(int fd, int64_t start, const char *name, size_t limit);
void queue_reader_close(struct queue_reader *r);
void queue_reader_auto_close(struct queue_reader **r);
#define AUTO_QUEUE_READER CLEANUP(queue_reader_auto_close)
/* Follow 'p' records?  On by default; postcat -r turns it off (then they are returned like others). */
void queue_reader_follow(struct queue_reader *r, bool on);

/* RECORD_READ: *TYPE, *DATA (on loan until the next call), *OFFSET of the record's first byte.
 * RECORD_EOF: the file ends between records.  RECORD_BAD: *ERR, ERR_CORRUPT ("too many reverse jump records", ...) or ERR_SYS. */
MUST_CHECK enum record_got queue_reader_next(struct queue_reader *r, int *type, slice *data, int64_t *offset, struct err *err);
MUST_CHECK bool queue_reader_seek(struct queue_reader *r, int64_t offset, struct err *err);
/* Offset of the record that comes next. */
int64_t queue_reader_offset(const struct queue_reader *r);

/* ---- message content as text ---- */
/* The next piece of content: N records end a line (*ENDS_LINE), L records do not; padding is skipped; X ends (RECORD_EOF). */
MUST_CHECK enum record_got queue_reader_text(struct queue_reader *r, slice *text, bool *ends_line, struct err *err);

#endif
