#include "commands/postcat/show.h"

#include <stdio.h>
#include <time.h>

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "mail/queue/reader.h"
#include "mail/syntax/header.h"

enum { REVERSE_JUMPS_MOST = 10000 };

enum part { IN_ENVELOPE, IN_CONTENT, IN_EXTRACTED };

struct show {
    const char *name;
    unsigned flags;
    struct queue_reader *reader;
    enum part part;
    int64_t extracted_at; /* from the size record, 0: unknown */
    bool header_ended;    /* a line that is no header has come */
    bool body_begun;      /* likewise, but pieces of long header lines count as lines, as in Postfix */
    bool line_open;       /* the last text record did not end its line */
    bool stopped;
    int reverse_jumps; /* made here, with VERBOSE; otherwise the reader counts */
};

static void put_prefix(const struct show *s, int type, int64_t offset)
{
    if ((s->flags & SHOW_FILE_NAME) != 0)
        (void)printf("%s: ", s->name);
    if ((s->flags & SHOW_OFFSETS) != 0)
        (void)printf("%9lld ", (long long)offset);
    if ((s->flags & SHOW_TYPES) != 0)
        (void)printf("%3d ", type);
}

static void put_bytes(slice s)
{
    (void)fwrite(s.p, 1, s.n, stdout);
}

static void put_marker(const struct show *s, const char *what, int type, int64_t offset)
{
    if ((s->flags & SHOW_ENVELOPE) == 0)
        return;
    put_prefix(s, type, offset);
    (void)printf("*** %s %s ***\n", what, s->name);
}

/* ctime() text, with its newline; a number that is none counts as 0. */
static void put_time(const char *label, slice digits)
{
    int64_t seconds = 0;
    char text[64] = "";
    slice word;
    time_t t;
    struct tm tm;

    if (!cut_word(&digits, " ", &word) || !slice_to_i64(word, &seconds))
        seconds = 0;
    t = (time_t)seconds;
    if (localtime_r(&t, &tm) == NULL || asctime_r(&tm, text) == NULL)
        (void)snprintf(text, sizeof text, "%lld\n", (long long)seconds);
    (void)printf("%s: %s", label, text);
}

static void put_attribute(const struct show *s, slice data, int64_t offset)
{
    slice name, value;

    if (!attribute_parse(data, &name, &value)) {
        if (slice_find(data, '=') == SLICE_NONE)
            event_warning("%s: malformed attribute: missing '=' after attribute name: %.*s", s->name, S_ARG(data));
        else
            event_warning("%s: malformed attribute: missing attribute name: %.*s", s->name, S_ARG(data));
        return;
    }
    put_prefix(s, RECORD_ATTRIBUTE, offset);
    if (slice_eq(name, S("create_time"))) {
        put_time("create_time", value);
        return;
    }
    (void)fputs("named_attribute: ", stdout);
    put_bytes(name);
    (void)putchar('=');
    put_bytes(value);
    (void)putchar('\n');
}

static const char *name_in_part(const struct show *s, int type)
{
    const char *name = record_type_name(type);

    if (type == RECORD_LONG_TEXT && s->part != IN_CONTENT)
        return "content_filter";
    return name != NULL ? name : "unknown_record_type";
}

static void put_record(const struct show *s, int type, slice data, int64_t offset)
{
    if (type == RECORD_ATTRIBUTE) {
        put_attribute(s, data, offset);
        return;
    }
    put_prefix(s, type, offset);
    if (type == RECORD_TIME || type == RECORD_WARN_TIME) {
        put_time(name_in_part(s, type), data);
        return;
    }
    if ((s->flags & SHOW_VERBOSE) == 0 &&
        (type == RECORD_TEXT || (type == RECORD_LONG_TEXT && s->part == IN_CONTENT))) {
        put_bytes(data);
        if (type == RECORD_TEXT || (s->flags & SHOW_OFFSETS) != 0)
            (void)putchar('\n');
        return;
    }
    (void)printf("%s: ", name_in_part(s, type));
    put_bytes(slice_head(data, slice_find(data, '\0')));
    (void)putchar('\n');
}

static bool is_text(int type)
{
    return type == RECORD_TEXT || type == RECORD_LONG_TEXT;
}

static bool looks_like_header(slice line)
{
    slice name, value;
    enum header_kind kind;

    return (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t')) || header_line_parse(line, &name, &kind, &value);
}

/* Where the header ends depends on the line, and on whether it is one. */
static void note_text(struct show *s, int type, slice data)
{
    if (!is_text(type))
        return;
    if (!looks_like_header(data)) {
        s->body_begun = true;
        if (!s->line_open)
            s->header_ended = true;
    }
    s->line_open = type == RECORD_LONG_TEXT;
}

/* Is the rest of the content wanted?  If not, the reader may jump. */
static void skip_content(struct show *s)
{
    struct err err;

    if ((s->flags & SHOW_ENVELOPE) == 0)
        s->stopped = (s->flags & SHOW_RAW) == 0 || (s->flags & SHOW_VERBOSE) == 0;
    else if (s->extracted_at > 0 && !queue_reader_seek(s->reader, s->extracted_at, &err))
        event_fatal("%s", err.text);
}

static void show_content(struct show *s, int type, slice data, int64_t offset)
{
    bool header = (s->flags & SHOW_HEADER) != 0, body = (s->flags & SHOW_BODY) != 0;

    note_text(s, type, data);
    if (header && body) {
        put_record(s, type, data, offset);
    } else if (header) {
        if (!s->header_ended)
            put_record(s, type, data, offset);
        else
            skip_content(s);
    } else if (body && s->body_begun) {
        put_record(s, type, data, offset);
    }
}

/* Learns where the last segment is; without envelope the content is next. */
static void jump_by_size(struct show *s, const struct size_record *size)
{
    struct err err;

    s->extracted_at = size->message_bytes + size->data_offset;
    if ((s->flags & SHOW_ENVELOPE) != 0 || s->part != IN_ENVELOPE)
        return;
    if (!queue_reader_seek(s->reader, size->data_offset, &err))
        return; /* not a file: the records in between are read and not shown */
    s->part = IN_CONTENT;
}

static void show_record(struct show *s, int type, slice data, int64_t offset)
{
    struct size_record size;

    switch (type) {
    case RECORD_CONTENT:
        if (s->part != IN_ENVELOPE)
            event_warning("%s: out-of-order message content marker", s->name);
        s->part = IN_CONTENT;
        put_marker(s, "MESSAGE CONTENTS", type, offset);
        if ((s->flags & (SHOW_HEADER | SHOW_BODY)) == 0)
            skip_content(s);
        return;
    case RECORD_EXTRACTED:
        if (s->part != IN_CONTENT)
            event_warning("%s: out-of-order extracted segment marker", s->name);
        s->part = IN_EXTRACTED;
        put_marker(s, "HEADER EXTRACTED", type, offset);
        return;
    case RECORD_END:
        if (s->part == IN_CONTENT)
            event_warning("%s: out-of-order message end marker", s->name);
        put_marker(s, "MESSAGE FILE END", type, offset);
        s->stopped = (s->flags & SHOW_RAW) == 0 || (s->flags & SHOW_VERBOSE) == 0;
        return;
    case RECORD_SIZE:
        if (s->extracted_at == 0 && size_record_parse(data, &size) && size.message_bytes > 0 && size.data_offset > 0)
            jump_by_size(s, &size);
        if (s->part != IN_ENVELOPE)
            return; /* the content comes next; this record is not part of it */
        break;
    case RECORD_POINTER:
    case RECORD_PADDING:
        if ((s->flags & SHOW_VERBOSE) == 0)
            return;
        break;
    default:
        break;
    }
    if (s->part == IN_CONTENT)
        show_content(s, type, data, offset);
    else if ((s->flags & SHOW_ENVELOPE) != 0)
        put_record(s, type, data, offset);
}

/* Pointers are shown before they are followed. */
static void follow(struct show *s, slice data, int64_t from)
{
    struct err err;
    int64_t to;
    bool bad;

    if ((s->flags & SHOW_VERBOSE) == 0 || (s->flags & SHOW_RAW) != 0)
        return;
    bad = !slice_to_i64(slice_trim(data), &to) || to < 0;
    if (!bad && to > 0 && to <= from && ++s->reverse_jumps > REVERSE_JUMPS_MOST) {
        event_warning("%s: too many reverse jump records", s->name);
        bad = true;
    }
    if (bad || (to > 0 && !queue_reader_seek(s->reader, to, &err))) {
        (void)fflush(stdout);
        event_fatal("bad pointer record, or input is not seekable");
    }
}

static bool may_come_first(int type)
{
    return type > 0 && strchr("/<>ACDFIKLMORSTVWcino", type) != NULL;
}

static void show_records(struct show *s, int64_t start)
{
    bool first = start == 0;

    while (!s->stopped) {
        /* The place where reading went on, before any pointers that were followed silently. */
        int64_t from = queue_reader_offset(s->reader), offset;
        struct err err;
        slice data;
        int type;

        switch (queue_reader_next(s->reader, &type, &data, &offset, &err)) {
        case RECORD_BAD:
            event_warning("%s", err.text);
            (void)fflush(stdout);
            event_fatal("record read error");
        case RECORD_EOF:
            return;
        case RECORD_READ:
            break;
        }
        if (first && !may_come_first(type)) {
            event_warning("%s: input is not a valid queue file", s->name);
            return;
        }
        if (first)
            put_marker(&(struct show){.name = s->name, .flags = s->flags & SHOW_ENVELOPE}, "ENVELOPE RECORDS", 0, 0);
        first = false;
        show_record(s, type, data, from);
        if (type == RECORD_POINTER)
            follow(s, data, from);
    }
}

void show_file(int fd, const char *name, unsigned flags, int64_t start)
{
    AUTO_QUEUE_READER struct queue_reader *reader = queue_reader_open(fd, name, 0);
    struct show s = {.name = name, .flags = flags, .reader = reader};
    struct err err;

    queue_reader_follow(reader, (flags & SHOW_VERBOSE) == 0);
    if (start > 0 && !queue_reader_seek(reader, start, &err))
        event_fatal("%s", err.text);
    show_records(&s, start);
    if (fflush(stdout) != 0 || ferror(stdout))
        event_fatal("write error: %m");
}
