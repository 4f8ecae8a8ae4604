/* core/io/stream.h - a buffered byte stream over a socket or pipe.
 *
 * Any call that takes a deadline may suspend the calling task; other tasks run on.  When the task is cancelled the call
 * fails with ERR_CANCELLED: cleaning up is the ordinary error path, nothing else.  A stream belongs to one task at a
 * time.  Errors are sticky on the writing side: after one, every later write or flush fails alike.
 *
 * Reading fills a 4096-byte buffer with one read(2), or one of 64 KiB that goes back when there is nothing more to read;
 * writing gathers up to 64 KiB and goes out with one write(2) at
 * stream_flush(), when the buffer is full, or (unless turned off) before a read that has to wait.  A stream parked for
 * over a second with nothing in it gives its buffers back.  A descriptor sent over the socket must be taken by recvmsg() on
 * stream_fd() before the stream reads what comes with it.  Depends on: core/base, core/run. */
#ifndef CORE_IO_STREAM_H
#define CORE_IO_STREAM_H

#include "core/base/buf.h"
#include "core/run/task.h"

struct stream;

/* Takes FD (made non-blocking here), which stream_close() closes.  For two descriptors (a pipe pair) see stream_pair. */
struct stream *stream_open(int fd);
struct stream *stream_pair(int read_fd, int write_fd);
/* Likewise of a socket that core/net has just connected or accepted, and that no other process has: it is non-blocking, and
 * the first read waits before it asks, since hardly anything can have come yet. */
struct stream *stream_of_socket(int fd);
/* Something has probably come by now: the next read asks before it waits.  What was written goes out when it does wait. */
void stream_expect_input(struct stream *s);
/* Reads as BYTES and then end of file; what is written is thrown away.  Never suspends: for tests and fuzzers. */
struct stream *stream_from_bytes(slice bytes);
/* Closes without flushing; harmless on NULL. */
void stream_close(struct stream *s);
void stream_auto_close(struct stream **s);
#define AUTO_STREAM CLEANUP(stream_auto_close)
int stream_fd(const struct stream *s);
/* Gives the descriptor up: the stream is freed, unread input is lost, the caller owns the fd. */
int stream_detach(struct stream *s);

/* What errors call the other end ("private/smtp socket"); copied.  Unset, it is "the peer". */
void stream_set_name(struct stream *s, const char *name);
const char *stream_name(const struct stream *s);

/* Does a read that has to wait flush first?  On by default. */
void stream_set_autoflush(struct stream *s, bool on);

/* Is much about to come?  Then it is read in pieces of up to 64 KiB.  Off by default. */
void stream_set_bulk(struct stream *s, bool on);

enum stream_got { STREAM_FAILED, STREAM_EOF, STREAM_LINE, STREAM_BARE_LF, STREAM_TOO_LONG };

/* Reads one line of at most MAX bytes, not counting its line end.
 *   STREAM_LINE      *LINE is the line, without CRLF
 *   STREAM_BARE_LF   likewise, but it ended in LF alone; the caller decides what that means
 *   STREAM_TOO_LONG  the whole line has been read and thrown away; *LINE is empty
 *   STREAM_EOF       the peer closed, and not in the middle of a line
 *   STREAM_FAILED    *ERR is set: ERR_TIMEOUT, ERR_CANCELLED, ERR_SYS, or ERR_PEER (closed mid-line; what came of the
 *                    line can still be had by stream_read_some)
 * *LINE is on loan from the stream until the next read. */
MUST_CHECK enum stream_got stream_read_line(struct stream *s, size_t max, deadline by, slice *line, struct err *err);

/* As stream_read_line, but a line longer than MAX comes in pieces: STREAM_PIECE for each but the last (exactly MAX bytes,
 * no line end yet), then STREAM_LINE or STREAM_BARE_LF with the rest.  Only CR LF and LF end lines; other CRs are data. */
enum { STREAM_PIECE = STREAM_TOO_LONG + 1 };
MUST_CHECK enum stream_got stream_read_text(struct stream *s, size_t max, deadline by, slice *line, struct err *err);

/* Reads exactly N bytes into TO.  ERR_PEER: closed before that. */
MUST_CHECK bool stream_read_exact(struct stream *s, void *to, size_t n, deadline by, struct err *err);
/* Reads up to and including a NUL; appends the bytes before it to OUT.  ERR_LIMIT: OUT's maximum; ERR_PEER: closed. */
MUST_CHECK bool stream_read_until_nul(struct stream *s, struct buf *out, deadline by, struct err *err);
/* What is buffered or one read's worth, at least 1 byte.  STREAM_EOF at end, STREAM_LINE for "some bytes". On loan. */
MUST_CHECK enum stream_got stream_read_some(struct stream *s, size_t max, deadline by, slice *out, struct err *err);
/* One byte.  False with err->kind ERR_PEER at end of file. */
MUST_CHECK bool stream_read_byte(struct stream *s, char *c, deadline by, struct err *err);
/* Puts the next byte in *C without taking it. */
MUST_CHECK bool stream_peek_byte(struct stream *s, char *c, deadline by, struct err *err);
/* Bytes already here: a read of that many will not wait.  Does not call read(2). */
size_t stream_buffered(const struct stream *s);
/* Those bytes, on loan until the next call. */
slice stream_ahead(const struct stream *s);
/* Takes the first N of them, which stay on loan until the next read. */
void stream_skip(struct stream *s, size_t n);
/* Throws buffered input away (STARTTLS, protocol errors). */
void stream_drop_input(struct stream *s);

MUST_CHECK bool stream_write(struct stream *s, slice bytes, deadline by, struct err *err);
MUST_CHECK bool stream_printf(struct stream *s, deadline by, struct err *err, const char *format, ...) PRINTF_LIKE(4, 5);
/* For about N bytes that are made where they go out from: there is room for *ROOM of them, maybe none, before the next flush.
 * stream_filled() says how many were made. */
char *stream_room(struct stream *s, size_t n, size_t *room);
void stream_filled(struct stream *s, size_t n);
MUST_CHECK bool stream_flush(struct stream *s, deadline by, struct err *err);
/* Bytes written but not yet flushed. */
size_t stream_pending(const struct stream *s);
/* Suspends until the peer closes or sends something: true then; *CLOSED tells which. */
MUST_CHECK bool stream_wait_peer(struct stream *s, deadline by, bool *closed, struct err *err);
/* Has the peer closed, or died?  One that has only ended its half is there.  Does not suspend. */
bool stream_peer_is_gone(const struct stream *s);

#endif
