#include "commands/sendmail/enqueue.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "commands/sendmail/probe_text.h"
#include "mail/content/address_list.h"
#include "mail/events/events.h"
#include "mail/proto/cleanup.h"
#include "mail/queue/record.h"
#include "mail/syntax/address.h"
#include "mail/syntax/header.h"

enum {
    OUT_MOST = 1 << 20,
    WRITE_AT = 60 * 1024,
    HEADER_MOST = 1 << 20,
    ANSWER_MOST = 4096,
    ADDRESSES_MEMORY = 256 << 20,
    PROBE_MOST = 256 << 20,
};

/* ---- postdrop at the other end of a socket pair ---- */
struct pipeline {
    int fd;
    pid_t pid;
    struct buf out;
    char id[128];
    const struct sendmail_options *options;
};

static void start(struct pipeline *d, const struct params *p)
{
    AUTO_BUF struct buf program = BUF_INIT(4096);
    int pair[2];

    (void)buf_addf(&program, "%s/postdrop", p->command_directory);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        event_fatal("socketpair: %m");
    d->pid = fork();
    if (d->pid < 0)
        event_fatal("fork: %m");
    if (d->pid == 0) {
        const char *const argv[] = {program.p, "-r", NULL};

        if (dup2(pair[1], 0) < 0 || dup2(pair[1], 1) < 0)
            _exit(75);
        (void)close_range(3, ~0U, 0);
        (void)execv(program.p, (char *const *)argv);
        (void)fprintf(stderr, "sendmail: fatal: execute %s: %s\n", program.p, strerror(errno));
        _exit(75);
    }
    (void)close(pair[1]);
    d->fd = pair[0];
    buf_init(&d->out, OUT_MOST);
}

const char *login_name(void)
{
    const struct passwd *me = getpwuid(getuid());

    if (me == NULL)
        event_fatal("unable to find out your login name");
    return me->pw_name;
}

static const char *sender_name(const struct sendmail_options *o)
{
    return o->sender != NULL ? o->sender : login_name();
}

static NORETURN void failed(const struct pipeline *d, const char *what)
{
    event_fatal("%s(%ld): %s", sender_name(d->options), (long)getuid(),
                d->id[0] != '\0' ? what : "unable to execute or to hear postdrop");
}

static void flush(struct pipeline *d)
{
    struct err err;

    if (!file_write_all(d->fd, buf_slice(&d->out), &err))
        failed(d, "mail system refused the message while it was being sent");
    buf_clear(&d->out);
}

static void put(struct pipeline *d, int type, slice data)
{
    if (!record_add(&d->out, type, data))
        failed(d, "record too large");
    if (d->out.n >= WRITE_AT)
        flush(d);
}

static void putf(struct pipeline *d, int type, const char *format, ...) PRINTF_LIKE(3, 4);

static void putf(struct pipeline *d, int type, const char *format, ...)
{
    AUTO_BUF struct buf text = BUF_INIT(OUT_MOST);
    char small[1024];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof small)
        event_fatal("argument too long");
    (void)buf_add(&text, slice_of(small, (size_t)n));
    put(d, type, buf_slice(&text));
}

/* One attribute list: "name NUL value NUL ... NUL".  The value of WANTED goes to TO. */
static bool read_list(struct pipeline *d, slice wanted, struct buf *to)
{
    AUTO_BUF struct buf field = BUF_INIT(ANSWER_MOST);
    bool is_name = true, is_wanted = false;
    char c;

    while (read(d->fd, &c, 1) == 1) {
        if (c != '\0') {
            (void)buf_add_char(&field, c);
            continue;
        }
        if (is_name && field.n == 0)
            return true;
        if (!is_name && is_wanted)
            (void)buf_add(to, buf_slice(&field));
        if (is_name)
            is_wanted = slice_eq(buf_slice(&field), wanted);
        is_name = !is_name;
        buf_clear(&field);
    }
    return false;
}

static void hear_hello(struct pipeline *d)
{
    AUTO_BUF struct buf id = BUF_INIT(sizeof d->id - 1);

    if (!read_list(d, S("queue_id"), &id))
        failed(d, "");
    (void)snprintf(d->id, sizeof d->id, "%s", buf_text(&id));
}

static void finish(struct pipeline *d)
{
    AUTO_BUF struct buf status = BUF_INIT(ANSWER_MOST);
    int64_t said = CLEANUP_WRITE;
    int ended;

    flush(d);
    if (!read_list(d, S("status"), &status))
        failed(d, "queue file write error");
    while (waitpid(d->pid, &ended, 0) < 0 && errno == EINTR)
        continue;
    if (!slice_to_i64(buf_slice(&status), &said) || said != 0)
        failed(d, said == CLEANUP_SIZE ? "message file too big" : "queue file write error");
    buf_done(&d->out);
    (void)close(d->fd);
}

/* ---- the envelope ---- */

/* The GECOS field up to the comma; '&' is the login name, capitalised. */
static void add_full_name(struct buf *out)
{
    const struct passwd *me = getpwuid(getuid());

    for (const char *c = me == NULL ? "" : me->pw_gecos; *c != '\0' && *c != ','; c++) {
        if (*c == '&' && me->pw_name[0] != '\0')
            (void)buf_addf(out, "%c%s", ascii_upper(me->pw_name[0]), me->pw_name + 1);
        else
            (void)buf_add_char(out, *c);
    }
}

static void put_recipient(struct pipeline *d, const struct sendmail_options *o, slice internal)
{
    if (o->notify_flags != 0)
        putf(d, RECORD_ATTRIBUTE, "notify_flags=%d", o->notify_flags);
    put(d, RECORD_RECIPIENT, internal);
}

static void put_unquoted(struct pipeline *d, const struct sendmail_options *o, slice external)
{
    AUTO_BUF struct buf internal = BUF_INIT(ADDRESSES_MEMORY);

    if (!address_unquote(external, &internal))
        failed(d, "address too long");
    put_recipient(d, o, buf_slice(&internal));
}

static const struct list_node *next_address(const struct list_node *at)
{
    while (at != NULL && at->kind != NODE_ADDRESS)
        at = at->next;
    return at;
}

/* The addresses of TEXT, which is read as a header would be: words are addresses of their own. */
static const struct list_node *addresses_in(struct pipeline *d, const char *text, struct arena *arena)
{
    struct list_node *first;

    if (!address_list_parse(slice_text(text), SIZE_MAX, arena, &first))
        failed(d, "too many addresses");
    return next_address(first);
}

/* Each argument may be a list of addresses; one without any is the empty address. */
static void put_arguments(struct pipeline *d, const struct sendmail_options *o)
{
    for (char **r = o->recipients; *r != NULL; r++) {
        AUTO_ARENA struct arena arena = ARENA_INIT(ADDRESSES_MEMORY);
        const struct list_node *a = addresses_in(d, *r, &arena);

        if (a == NULL)
            put_recipient(d, o, S(""));
        for (; a != NULL; a = next_address(a->next))
            put_unquoted(d, o, a->text);
    }
}

/* Internal form; empty: nobody. */
static void sender_address(struct pipeline *d, const struct sendmail_options *o, struct buf *internal)
{
    AUTO_ARENA struct arena arena = ARENA_INIT(ADDRESSES_MEMORY);
    const struct list_node *a = addresses_in(d, sender_name(o), &arena);

    if (a != NULL && !address_unquote(a->text, internal))
        failed(d, "address too long");
    if (a != NULL && next_address(a->next) != NULL)
        event_warning("-f option specified malformed sender: %s", sender_name(o));
}

static void put_sender(struct pipeline *d, const struct sendmail_options *o)
{
    AUTO_BUF struct buf internal = BUF_INIT(ADDRESSES_MEMORY);

    sender_address(d, o, &internal);
    put(d, RECORD_SENDER, buf_slice(&internal));
}

static void put_envelope(struct pipeline *d, const struct sendmail_options *o)
{
    AUTO_BUF struct buf name = BUF_INIT(1000);

    if (o->envelope_id != NULL)
        putf(d, RECORD_ATTRIBUTE, "envelope_id=%s", o->envelope_id);
    if (o->ret_flags != 0)
        putf(d, RECORD_ATTRIBUTE, "ret_flags=%d", o->ret_flags);
    putf(d, RECORD_ATTRIBUTE, "rewrite_context=%s", o->remote_context ? "remote" : "local");
    if (o->full_name != NULL)
        (void)buf_add_text(&name, o->full_name);
    else if (getenv("NAME") != NULL)
        (void)buf_add_text(&name, getenv("NAME"));
    else
        add_full_name(&name);
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '\n' || name.p[i] == '\r')
            name.p[i] = ' ';
    if (name.n > 0)
        put(d, RECORD_FULL_NAME, buf_slice(&name));
    put_sender(d, o);
    if (o->encoding != NULL)
        putf(d, RECORD_ATTRIBUTE, "encoding=%s", o->encoding);
    if (o->trace_flags != 0)
        putf(d, RECORD_ATTRIBUTE, "trace_flags=%d", o->trace_flags);
    if (o->verp != NULL)
        put(d, RECORD_VERP, slice_text(o->verp));
    put_arguments(d, o);
}

/* ---- content ---- */
struct content {
    struct pipeline *to;
    const struct sendmail_options *options;
    struct arena arena; /* header recipients */
    struct header_recipient {
        struct header_recipient *next;
        slice address;
    } * recipients, **last;
    enum {
        FIX_ALWAYS,
        FIX_STRICT,
        FIX_NEVER
    } fix_ends;        /* sendmail_fix_line_endings; strict: as the first line has it */
    struct buf header; /* the address header being read, folded lines joined */
    bool in_header, strip_cr, started, line_open;
    bool resent;
};

static bool names_recipients(enum header_kind k)
{
    return k == HEADER_TO || k == HEADER_CC || k == HEADER_BCC || k == HEADER_RESENT_TO || k == HEADER_RESENT_CC ||
           k == HEADER_RESENT_BCC;
}

/* A complete header: its addresses become recipients.  Resent- ones replace the others. */
static void header_done(struct content *c)
{
    enum header_kind kind;
    struct header_address a;
    slice name, rest;

    if (c->header.n > 0 && header_line_parse(buf_slice(&c->header), &name, &kind, &rest) && names_recipients(kind)) {
        bool resent = kind == HEADER_RESENT_TO || kind == HEADER_RESENT_CC || kind == HEADER_RESENT_BCC;

        if (resent && !c->resent) {
            c->resent = true;
            c->recipients = NULL;
            c->last = &c->recipients;
        }
        while (resent == c->resent && header_next_address(&rest, &c->arena, &a)) {
            struct header_recipient *r = ARENA_NEW(&c->arena, struct header_recipient);

            if (r == NULL)
                event_fatal("too many recipients in the message's headers");
            r->address = a.address;
            *c->last = r;
            c->last = &r->next;
        }
    }
    buf_clear(&c->header);
}

static void look_at_header(struct content *c, slice line)
{
    enum header_kind kind;
    slice name, value;
    bool folded = line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');

    if (folded && c->header.n > 0) {
        (void)buf_add_char(&c->header, '\n');
        (void)buf_add(&c->header, line);
        return;
    }
    header_done(c);
    if (!folded && header_line_parse(line, &name, &kind, &value))
        (void)buf_add(&c->header, line);
    else
        c->in_header = false;
}

/* A piece of input; ENDS: with its newline. */
static void take_piece(struct content *c, slice text, bool ends)
{
    bool starts = !c->line_open;

    if (!c->started) {
        c->started = true;
        c->strip_cr = c->fix_ends == FIX_ALWAYS || (c->fix_ends == FIX_STRICT && ends && slice_ends(text, S("\r")));
        if (slice_starts(text, S("From ")))
            return;
    }
    if (ends && c->strip_cr && text.n > 0 && text.p[text.n - 1] == '\r')
        text.n--;
    if (starts && c->in_header && c->options->header_recipients)
        look_at_header(c, text);
    put(c->to, ends ? RECORD_TEXT : RECORD_LONG_TEXT, text);
    c->line_open = !ends;
}

/* Stdin in pieces of at most line_length_limit.  False at a lone dot or the end. */
static void read_content(struct content *c, size_t most)
{
    char *line = xmalloc(most + 1);
    int ch = 0;

    while (ch != EOF) {
        size_t n = 0;

        while (n < most && (ch = getchar()) != EOF && ch != '\n')
            line[n++] = (char)ch;
        if (ch == EOF && n == 0)
            break;
        if (ch == '\n' && !c->line_open && !c->options->dots_are_data &&
            (slice_eq(slice_of(line, n), S(".")) || slice_eq(slice_of(line, n), S(".\r"))))
            break;
        take_piece(c, slice_of(line, n), ch == '\n');
        if (ch == '\n')
            ch = 0;
    }
    if (ferror(stdin))
        event_fatal("%s(%ld): error reading input: %m", sender_name(c->options), (long)getuid());
    if (c->line_open)
        put(c->to, RECORD_TEXT, S(""));
    free(line);
}

/* A probe has a text of its own, whatever the caller would like to say. */
static void put_probe(struct content *c)
{
    AUTO_BUF struct buf text = BUF_INIT(PROBE_MOST), sender = BUF_INIT(ADDRESSES_MEMORY);
    slice rest, line;

    sender_address(c->to, c->options, &sender);
    probe_text(buf_slice(&sender), c->options->recipients, &text);
    rest = buf_slice(&text);
    while (cut_field(&rest, '\n', &line))
        put(c->to, RECORD_TEXT, line);
}

void enqueue(const struct params *p, const struct sendmail_options *o)
{
    struct pipeline d = {.fd = -1, .options = o};
    struct content c = {.to = &d, .options = o, .in_header = true, .arena = ARENA_INIT(ADDRESSES_MEMORY)};

    if (o->recipients[0] == NULL && !o->header_recipients)
        event_fatal("%s(%ld): Recipient addresses must be specified on the command line or via the -t option",
                    sender_name(o), (long)getuid());
    c.fix_ends = p->sendmail_fix_line_endings[0] == 'a'   ? FIX_ALWAYS
                 : p->sendmail_fix_line_endings[0] == 's' ? FIX_STRICT
                                                          : FIX_NEVER;
    c.last = &c.recipients;
    buf_init(&c.header, HEADER_MOST);
    start(&d, p);
    hear_hello(&d);
    put_envelope(&d, o);
    put(&d, RECORD_CONTENT, S(""));
    if (o->probes)
        put_probe(&c);
    else
        read_content(&c, (size_t)p->line_length_limit);
    header_done(&c);
    put(&d, RECORD_EXTRACTED, S(""));
    if (o->header_recipients && o->recipients[0] == NULL && c.recipients == NULL)
        event_fatal("%s(%ld): No recipient addresses found in message header", sender_name(o), (long)getuid());
    for (const struct header_recipient *r = c.recipients; r != NULL; r = r->next)
        put_recipient(&d, o, r->address);
    put(&d, RECORD_END, S(""));
    finish(&d);
    buf_done(&c.header);
    arena_done(&c.arena);
}
