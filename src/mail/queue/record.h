/* mail/queue/record.h - records: type, length in base 128, data.  The grammar of queue files and of streams to cleanup.
 *
 * Source: queue-file.md sections 1 to 3.  Pure; memory only.  Files are read by queue/reader.h. */
#ifndef MAIL_QUEUE_RECORD_H
#define MAIL_QUEUE_RECORD_H

#include "core/base/buf.h"
#include "core/base/slice.h"

/* Every record type, once: letter, enum name, postcat's name. */
#define RECORD_TYPES(R)                                                                                                \
    R('C', SIZE, "message_size")                                                                                       \
    R('T', TIME, "message_arrival_time")                                                                               \
    R('c', CREATE_TIME, "queue_file_create_time")                                                                      \
    R('F', FULL_NAME, "sender_fullname")                                                                               \
    R('I', INSPECT, "content_inspector")                                                                               \
    R('L', LONG_TEXT, "unterminated_text")       /* in envelopes: content filter */                                    \
    R('S', SENDER, "sender")                                                                                           \
    R('D', DONE, "done_recipient")                                                                                     \
    R('R', RECIPIENT, "recipient")                                                                                     \
    R('O', ORIGINAL_RECIPIENT, "original_recipient")                                                                   \
    R('/', CANCELED, "canceled_recipient")                                                                             \
    R('W', WARN_TIME, "warning_message_time")                                                                          \
    R('A', ATTRIBUTE, "named_attribute")                                                                               \
    R('K', KILLED, "killed_record")                                                                                    \
    R('>', REDIRECT, "redirect_to")                                                                                    \
    R('f', FLAGS, "flags")                                                                                             \
    R('d', DELAY, "delay")                                                                                             \
    R('m', MILTERS, "milter_count")                                                                                    \
    R('M', CONTENT, "message_content")                                                                                 \
    R('N', TEXT, "regular_text")                                                                                       \
    R('w', PADDING, "padding")                                                                                         \
    R('X', EXTRACTED, "extracted_info")                                                                                \
    R('r', RETURN_RECEIPT, "return_receipt")                                                                           \
    R('e', ERRORS_TO, "errors_to")                                                                                     \
    R('P', PRIORITY, "priority")                                                                                       \
    R('p', POINTER, "pointer_record")                                                                                  \
    R('V', VERP, "verp_delimiters")                                                                                    \
    R('<', DSN_RET, "dsn_return_flags")                                                                                \
    R('i', DSN_ENVID, "dsn_envelope_id")                                                                               \
    R('o', DSN_ORIG_RCPT, "dsn_original_recipient")                                                                    \
    R('n', DSN_NOTIFY, "dsn_notify_flags")                                                                             \
    R('E', END, "message_end")

#define RECORD_ENUM(letter, name, text) RECORD_##name = letter,
enum record_type { RECORD_TYPES(RECORD_ENUM) };

/* "recipient", or NULL for a letter that is no record type. */
const char *record_type_name(int type);
/* Where a type may stand: first letters of the segments, "ENV", "CONT", "EXT" of queue-file.md section 2. */
bool record_in_envelope(int type);
bool record_in_content(int type);
bool record_in_extracted(int type);

enum { RECORD_MOST_BYTES = (1 << 28) - 1, RECORD_HEAD_MOST = 5 };

/* Appends one record.  False: the buffer's maximum. */
bool record_add(struct buf *out, int type, slice data);
bool record_addf(struct buf *out, int type, const char *format, ...) PRINTF_LIKE(3, 4);
/* Type and length alone, into TO; returns how many bytes (1 + 1..4). */
static inline size_t record_head(int type, size_t length, char to[RECORD_HEAD_MOST])
{
    size_t n = 0;

    to[n++] = (char)type;
    do {
        to[n] = (char)(length & 0x7f);
        length >>= 7;
        if (length > 0)
            to[n] = (char)(to[n] | 0x80);
        n++;
    } while (length > 0 && n < RECORD_HEAD_MOST);
    return n;
}

enum record_got { RECORD_READ, RECORD_EOF, RECORD_BAD };
/* Cuts one record off the front.  RECORD_BAD: too many length bits, or the input ends inside it. */
enum record_got cut_record(slice *in, int *type, slice *data);

/* ---- the size record (first in every file that cleanup wrote) ---- */
struct size_record {
    int64_t message_bytes;  /* X offset - data offset */
    int64_t data_offset;    /* of the first record after M */
    int64_t recipients;
    int64_t qmgr_flags;     /* bit 0: recipients are mixed with other records; bits 1-4: union of notify bits << 1 */
    int64_t content_bytes;  /* reachable content */
    int64_t sendopts;
};
enum { SIZE_RECORD_BYTES = 97, SIZE_FIELD_BYTES = 15 };
/* Six "%15ld" fields joined by blanks: the whole record, type and length included. */
void size_record_print(const struct size_record *r, char to[SIZE_RECORD_BYTES + 1]);
/* 3 to 6 fields; missing ones are 0 (content_bytes then is message_bytes).  False: not a size record. */
bool size_record_parse(slice data, struct size_record *out);

/* "name=value": split at the first '=', blanks around both trimmed.  False: no '=', or empty name. */
bool attribute_parse(slice data, slice *name, slice *value);

#endif
