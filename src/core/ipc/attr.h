/* core/ipc/attr.h - attribute lists between services: "name NUL value NUL ... NUL" (attr0).
 * Source: fact sheet ipc.md section 7.
 *
 * A message's shape is declared once (ipc/message.h) and used by both ends.  Reading is strict in names and order;
 * values are copied into the caller's arena.  Everything here that touches a stream may suspend. */
#ifndef CORE_IPC_ATTR_H
#define CORE_IPC_ATTR_H

#include "core/base/arena.h"
#include "core/io/stream.h"

enum ipc_type {
    IPC_TEXT,   /* slice; no NUL inside */
    IPC_NUMBER, /* int64_t; on the wire the decimal of the unsigned 32-bit value, so -1 is 4294967295; read back signed */
    IPC_LONG,   /* int64_t; decimal, 64 bits (offsets, sizes) */
    IPC_DATA,   /* slice of any bytes; base64 on the wire */
};

struct ipc_field {
    const char *name; /* on the wire */
    enum ipc_type type;
};

/* The message is a struct whose members are these fields in order: slice for TEXT and DATA, int64_t for numbers. */
struct ipc_shape {
    const char *message; /* for errors */
    const struct ipc_field *fields;
    size_t count;
};

enum ipc_encoding { IPC_ATTR0, IPC_PLAIN /* "name=value\n", empty line: anvil, policy */ };

/* Writes all fields and the list's end; does not flush. */
MUST_CHECK bool ipc_write(struct stream *s, const struct ipc_shape *shape, const void *message, deadline by,
                          struct err *err);
MUST_CHECK bool ipc_write_as(enum ipc_encoding e, struct stream *s, const struct ipc_shape *shape, const void *message,
                             deadline by, struct err *err);

enum ipc_got { IPC_FAILED, IPC_END, IPC_MESSAGE_READ };
/* Reads one list of exactly SHAPE into MESSAGE (untouched on failure).  IPC_END: the peer closed before the first byte.
 * IPC_FAILED: ERR_PEER with the field's words ("unexpected attribute X from Y (expecting: Z)"), or as stream reads. */
MUST_CHECK enum ipc_got ipc_read(struct stream *s, const struct ipc_shape *shape, struct arena *arena, deadline by,
                                 void *message, struct err *err);
MUST_CHECK enum ipc_got ipc_read_as(enum ipc_encoding e, struct stream *s, const struct ipc_shape *shape,
                                    struct arena *arena, deadline by, void *message, struct err *err);

/* For servers whose requests differ by their first attribute: reads only NAME=value ("request", "nrequest"), leaving the
 * stream in front of the next attribute; then ipc_read_rest() reads SHAPE (which leaves that first field out) to the end. */
MUST_CHECK enum ipc_got ipc_read_first(struct stream *s, const char *name, struct arena *arena, deadline by, slice *value,
                                       struct err *err);
MUST_CHECK bool ipc_read_rest(struct stream *s, const struct ipc_shape *shape, struct arena *arena, deadline by,
                              void *message, struct err *err);
/* For servers that go on after a request they cannot make sense of.  Reads to the end of the list in any case: *GOOD tells
 * whether it was of SHAPE, else *ERR why not.  False: the stream failed. */
MUST_CHECK bool ipc_read_rest_or_skip(struct stream *s, const struct ipc_shape *shape, struct arena *arena, deadline by,
                                      void *message, bool *good, struct err *err);
/* Skips all up to the end of the list. */
MUST_CHECK bool ipc_skip_rest(struct stream *s, struct arena *arena, deadline by, struct err *err);
/* The same for plain lists. */
MUST_CHECK enum ipc_got ipc_read_first_as(enum ipc_encoding e, struct stream *s, const char *name, struct arena *arena,
                                          deadline by, slice *value, struct err *err);
MUST_CHECK bool ipc_read_rest_as(enum ipc_encoding e, struct stream *s, const struct ipc_shape *shape,
                                 struct arena *arena, deadline by, void *message, struct err *err);

/* An empty list: just the end mark.  Used by showq, and to close the hello. */
MUST_CHECK bool ipc_write_end(struct stream *s, deadline by, struct err *err);
/* One name and value without the list's end. */
MUST_CHECK bool ipc_write_pair(struct stream *s, const char *name, slice value, deadline by, struct err *err);

/* The hello "protocol=ID" that every server sends first, as a list of its own, and the client's check of it. */
MUST_CHECK bool ipc_hello(struct stream *s, const char *protocol, deadline by, struct err *err);
MUST_CHECK bool ipc_expect_hello(struct stream *s, const char *protocol, deadline by, struct err *err);

/* One attribute as text, encoding without a stream (tests, fuzzing, datagrams). */
bool ipc_encode(enum ipc_encoding e, const struct ipc_shape *shape, const void *message, struct buf *out);

#endif
