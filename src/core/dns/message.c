#include "core/dns/message.h"

#include "core/base/buf.h"

enum { HEADER_BYTES = 12, NAME_BYTES = 255, ROWS_MOST = 1000, ALIASES_MOST = 10 };
enum { RCODE_OK = 0, RCODE_FORMAT = 1, RCODE_SERVER_FAILURE = 2, RCODE_NO_NAME = 3, RCODE_REFUSED = 5 };

struct name {
    char text[NAME_BYTES + 1];
    size_t n;
};

struct cursor {
    slice packet;
    size_t at;
    bool bad; /* sticky */
};

static unsigned read_u8(struct cursor *c)
{
    if (c->bad || c->at >= c->packet.n) {
        c->bad = true;
        return 0;
    }
    return (unsigned char)c->packet.p[c->at++];
}

static unsigned read_u16(struct cursor *c)
{
    unsigned high = read_u8(c);

    return high << 8 | read_u8(c);
}

static unsigned read_u32(struct cursor *c)
{
    unsigned high = read_u16(c);

    return high << 16 | read_u16(c);
}

/* ---- names ---- */

/* A byte that cannot stand in a label of a name shown as text. */
static bool is_odd(unsigned byte)
{
    return byte <= ' ' || byte > '~' || byte == '.' || byte == '\\';
}

/* Appends a label; *ODD when it is not plain text. */
static void read_label(struct cursor *c, unsigned bytes, struct name *out, bool *odd)
{
    if (out->n + bytes + (out->n > 0) > NAME_BYTES) {
        c->bad = true;
        return;
    }
    if (out->n > 0)
        out->text[out->n++] = '.';
    for (unsigned i = 0; i < bytes; i++) {
        unsigned byte = read_u8(c);

        *odd = *odd || is_odd(byte);
        out->text[out->n++] = (char)byte;
    }
    out->text[out->n] = '\0';
}

/* Reads a name, "" for the root.  A name that is not plain text is read over and left empty, with *ODD set. */
static void read_name(struct cursor *c, struct name *out, bool *odd)
{
    struct cursor in = *c;
    bool jumped = false;

    out->n = 0;
    out->text[0] = '\0';
    *odd = false;
    while (!in.bad) {
        size_t label_at = in.at;
        unsigned bytes = read_u8(&in);

        if (bytes == 0)
            break;
        if (bytes >= 0xc0) {
            size_t target = (bytes & 0x3f) << 8 | read_u8(&in);

            if (!jumped)
                c->at = in.at;
            jumped = true;
            /* Only backwards, so that it ends. */
            in.bad = in.bad || target >= label_at;
            in.at = target;
            in.packet.n = in.bad ? in.packet.n : label_at;
        } else if (bytes > 63) {
            in.bad = true;
        } else {
            read_label(&in, bytes, out, odd);
        }
    }
    if (!jumped)
        c->at = in.at;
    c->bad = c->bad || in.bad;
}

static slice name_slice(const struct name *n)
{
    return slice_of(n->text, n->n);
}

/* ---- records ---- */

struct row {
    struct name owner;
    unsigned type, class, ttl;
    size_t data_at, data_bytes;
    bool odd;
};

static bool read_row(struct cursor *c, struct row *out)
{
    read_name(c, &out->owner, &out->odd);
    out->type = read_u16(c);
    out->class = read_u16(c);
    out->ttl = read_u32(c);
    out->data_bytes = read_u16(c);
    out->data_at = c->at;
    if (c->bad || out->data_bytes > c->packet.n - c->at) {
        c->bad = true;
        return false;
    }
    c->at += out->data_bytes;
    return true;
}

/* The data of a record that is one name, with a preference before it for MX. */
static bool read_data_name(slice packet, const struct row *row, unsigned *preference, struct name *out)
{
    struct cursor c = {slice_head(packet, row->data_at + row->data_bytes), row->data_at, false};
    bool odd;

    *preference = row->type == DNS_MX ? read_u16(&c) : 0;
    read_name(&c, out, &odd);
    return !c.bad && !odd && c.at == row->data_at + row->data_bytes;
}

static bool read_address(slice packet, const struct row *row, struct endpoint *out)
{
    const char *data = packet.p + row->data_at;

    *out = (struct endpoint){0};
    if (row->type == DNS_A && row->data_bytes == 4) {
        out->bytes = sizeof out->u.v4;
        out->u.v4.sin_family = AF_INET;
        memcpy(&out->u.v4.sin_addr, data, 4);
        return true;
    }
    if (row->type == DNS_AAAA && row->data_bytes == 16) {
        out->bytes = sizeof out->u.v6;
        out->u.v6.sin6_family = AF_INET6;
        memcpy(&out->u.v6.sin6_addr, data, 16);
        return true;
    }
    return false;
}

static bool read_strings(slice packet, const struct row *row, struct buf *out)
{
    struct cursor c = {slice_head(packet, row->data_at + row->data_bytes), row->data_at, false};

    while (!c.bad && c.at < c.packet.n) {
        unsigned bytes = read_u8(&c);

        if (bytes > c.packet.n - c.at || !buf_add(out, slice_of(c.packet.p + c.at, bytes)))
            return false;
        c.at += bytes;
    }
    return !c.bad;
}

enum kept { KEPT, SKIPPED, NO_ROOM };

static enum kept keep_record(slice packet, const struct row *row, struct arena *arena, struct dns_record *out)
{
    AUTO_BUF struct buf strings = BUF_INIT(65536);
    struct name name;
    slice text = {0};

    out->type = (enum dns_type)row->type;
    out->ttl = row->ttl;
    if (row->type == DNS_A || row->type == DNS_AAAA) {
        if (!read_address(packet, row, &out->address))
            return SKIPPED;
    } else if (row->type == DNS_TXT) {
        if (!read_strings(packet, row, &strings))
            return SKIPPED;
        text = buf_slice(&strings);
    } else {
        if (!read_data_name(packet, row, &out->preference, &name))
            return SKIPPED;
        text = name_slice(&name);
    }
    return arena_copy(arena, text, &out->text) && arena_copy(arena, name_slice(&row->owner), &out->name) ? KEPT : NO_ROOM;
}

/* ---- the answer section ---- */

struct section {
    struct cursor start;
    unsigned count;
};

/* Follows CNAMEs from *NAME inside the section; false: they never end. */
static bool follow_aliases(const struct section *s, struct name *name)
{
    for (int i = 0; i <= ALIASES_MOST; i++) {
        struct cursor c = s->start;
        bool moved = false;

        for (unsigned r = 0; r < s->count && !moved; r++) {
            struct row row;
            struct name target;
            unsigned unused;

            if (!read_row(&c, &row))
                return true; /* found out again when records are read */
            if (row.odd || row.class != 1 || row.type != DNS_CNAME ||
                !slice_eq_case(name_slice(&row.owner), name_slice(name)) ||
                !read_data_name(c.packet, &row, &unused, &target))
                continue;
            *name = target;
            moved = true;
        }
        if (!moved)
            return true;
    }
    return false;
}

static enum dns_got collect(const struct section *s, const struct name *canonical, enum dns_type type, struct arena *arena,
                            struct dns_answer *out, struct err *err)
{
    struct dns_record **end = &out->records;
    struct cursor c = s->start;
    unsigned count = 0;
    bool skipped = false;

    for (unsigned r = 0; r < s->count; r++) {
        struct dns_record *record;
        struct row row;
        enum kept kept;

        if (!read_row(&c, &row))
            return DNS_BAD;
        if (row.odd || row.class != 1 || row.type != type || !slice_eq_case(name_slice(&row.owner), name_slice(canonical)))
            continue;
        out->cut = count == DNS_RECORDS_MOST;
        if (out->cut)
            break;
        record = ARENA_NEW(arena, struct dns_record);
        kept = record == NULL ? NO_ROOM : keep_record(c.packet, &row, arena, record);
        if (kept == NO_ROOM) {
            (void)err_set(err, ERR_LIMIT, "no memory for the records of %s", canonical->text);
            return DNS_FAILED;
        }
        skipped = skipped || kept == SKIPPED;
        if (kept != KEPT)
            continue;
        *end = record;
        end = &record->next;
        count++;
    }
    if (out->records != NULL)
        return DNS_FOUND;
    return skipped ? DNS_BAD : DNS_NO_DATA;
}

static enum dns_got read_section(const struct section *s, slice name, enum dns_type type, struct arena *arena,
                                 struct dns_answer *out, struct err *err)
{
    struct name canonical = {.n = name.n};

    memcpy(canonical.text, name.p, name.n);
    canonical.text[name.n] = '\0';
    if (type != DNS_CNAME && !follow_aliases(s, &canonical)) {
        (void)snprintf(out->reason, sizeof out->reason, "Name server loop for %.200s", canonical.text);
        out->looped = true;
        return DNS_NO_NAME;
    }
    if (!arena_copy(arena, name_slice(&canonical), &out->canonical)) {
        (void)err_set(err, ERR_LIMIT, "no memory for the records of %s", canonical.text);
        return DNS_FAILED;
    }
    return collect(s, &canonical, type, arena, out, err);
}

enum dns_got dns_message_read(slice packet, slice name, enum dns_type type, struct arena *arena, struct dns_answer *out,
                              struct err *err)
{
    struct cursor c = {packet, 0, false};
    struct dns_answer answer = {0};
    enum dns_got got;

    if (name.n > 0 && name.p[name.n - 1] == '.')
        name = slice_head(name, name.n - 1);
    if (packet.n < HEADER_BYTES || name.n > NAME_BYTES)
        return DNS_BAD;
    (void)read_u16(&c);
    unsigned flags = read_u16(&c), questions = read_u16(&c), answers = read_u16(&c);
    (void)read_u32(&c);
    if ((flags & 0x8000U) == 0 || questions > 1)
        return DNS_BAD;
    switch (flags & 15U) {
    case RCODE_OK:
        break;
    case RCODE_NO_NAME:
        return DNS_NO_NAME;
    case RCODE_SERVER_FAILURE:
    case RCODE_REFUSED:
        return DNS_TRY_AGAIN;
    case RCODE_FORMAT:
        return DNS_NO_WAY;
    default:
        return DNS_BAD;
    }
    if (questions == 1) {
        struct name unused;
        bool odd;

        read_name(&c, &unused, &odd);
        (void)read_u32(&c);
    }
    const struct section section = {c, answers < ROWS_MOST ? answers : ROWS_MOST};
    if (c.bad)
        return DNS_BAD;
    answer.authenticated = (flags & 0x20U) != 0;
    got = read_section(&section, name, type, arena, &answer, err);
    if (got == DNS_FOUND || got == DNS_NO_DATA)
        *out = answer;
    else {
        memcpy(out->reason, answer.reason, sizeof answer.reason);
        out->looped = answer.looped;
    }
    return got;
}

const char *dns_type_name(enum dns_type type)
{
    switch (type) {
    case DNS_A:
        return "A";
    case DNS_NS:
        return "NS";
    case DNS_CNAME:
        return "CNAME";
    case DNS_PTR:
        return "PTR";
    case DNS_MX:
        return "MX";
    case DNS_TXT:
        return "TXT";
    case DNS_AAAA:
        return "AAAA";
    }
    return "?";
}

void dns_record_print(const struct dns_record *r, struct buf *out)
{
    char address[ENDPOINT_TEXT];

    (void)buf_addf(out, "%.*s. %u IN %s ", S_ARG(r->name), r->ttl, dns_type_name(r->type));
    if (r->type == DNS_A || r->type == DNS_AAAA) {
        endpoint_print(&r->address, address);
        (void)buf_add_text(out, address);
        return;
    }
    if (r->type == DNS_MX)
        (void)buf_addf(out, "%u ", r->preference);
    (void)buf_addf(out, "%.*s%s", S_ARG(r->text), r->type == DNS_TXT ? "" : ".");
}
