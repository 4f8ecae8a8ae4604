/* receive/cleanup/output.h - the queue file while it is being written.
 *
 * Records gather in a buffer of bounded size and go out by write(2).  The first failure is kept: every later call then does
 * nothing and returns false.  Everything here blocks on the file system and does not suspend. */
#ifndef RECEIVE_CLEANUP_OUTPUT_H
#define RECEIVE_CLEANUP_OUTPUT_H

#include <stdarg.h>

#include "core/base/list.h"
#include "mail/queue/dir.h"
#include "mail/queue/record.h"

enum output_state { OUTPUT_GOOD, OUTPUT_TOO_BIG, OUTPUT_FAILED };

struct output {
    const struct queue_layout *layout;
    slice queue; /* where it lies now */
    struct queue_new file;
    struct buf buffer;
    int64_t written_bytes, most_bytes; /* most_bytes 0: no limit */
    enum output_state state;
    struct err err; /* of OUTPUT_FAILED */
    struct list node; /* among those that are not kept */
};

/* Creates incoming/ID with nothing in it and removes stale logs of that id, calling STALE(name) for each.  ERR_SYS. */
MUST_CHECK bool output_open(struct output *o, const struct queue_layout *layout, bool long_ids, int64_t most_bytes,
                            void (*stale)(const char *id, const char *log), struct err *err);
/* Closes; removes the file unless output_keep() was called. */
void output_done(struct output *o);

/* Appends a record.  OUTPUT_TOO_BIG: it would pass the limit. */
bool output_record(struct output *o, int type, slice data);
/* Appends RECORDS as they are.  Only if output_fits(). */
bool output_records(struct output *o, slice records);
/* Is there room for BYTES more below the limit? */
bool output_fits(const struct output *o, size_t bytes);
/* Formatted; a text of more than 511 bytes is OUTPUT_FAILED, never cut. */
bool output_vrecordf(struct output *o, int type, const char *format, va_list args) PRINTF_LIKE(3, 0);
/* The same without the limit: the marks that end a file which was cut short. */
bool output_mark(struct output *o, int type);
/* Offset of the next record. */
int64_t output_offset(const struct output *o);

/* Writes out what is buffered, and the size record over the one at the start. */
bool output_complete(struct output *o, const struct size_record *size);
/* Moves the file to another queue. */
bool output_move(struct output *o, slice queue);
/* The file stays: closes it. */
void output_keep(struct output *o);
/* The process is about to end: removes all that is not kept. */
void output_remove_all(void);

static inline const char *output_id(const struct output *o)
{
    return o->file.id;
}

#endif
