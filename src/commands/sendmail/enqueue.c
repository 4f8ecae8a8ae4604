#include "commands/sendmail/enqueue.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/cut.h"
#include "commands/sendmail/pipeline.h"
#include "commands/sendmail/probe_text.h"
#include "mail/content/address_list.h"
#include "mail/envelope/verp.h"
#include "mail/events/events.h"
#include "mail/queue/record.h"
#include "mail/syntax/address.h"
#include "mail/syntax/header.h"

enum {
    READ_BYTES = 16 * 1024,
    HEADER_MOST = 1 << 20,
    ADDRESSES_MEMORY = 256 << 20,
    PROBE_MOST = 256 << 20,
};

static const struct passwd *caller; /* asked for once: the answer may come from afar */

static const struct passwd *find_caller(void)
{
    if (caller == NULL)
        caller = getpwuid(getuid());
    return caller;
}

const char *login_name(void)
{
    const struct passwd *me = find_caller();

    if (me == NULL)
        event_fatal("unable to find out your login name");
    return me->pw_name;
}

static const char *sender_name(const struct sendmail_options *o)
{
    return o->sender != NULL ? o->sender : login_name();
}

/* ---- the envelope ---- */

/* The GECOS field up to the comma; '&' is the login name, capitalised. */
static void add_full_name(struct buf *out)
{
    const struct passwd *me = find_caller();

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
        pipeline_putf(d, RECORD_ATTRIBUTE, "notify_flags=%d", o->notify_flags);
    pipeline_put(d, RECORD_RECIPIENT, internal);
}

static void put_unquoted(struct pipeline *d, const struct sendmail_options *o, slice external)
{
    AUTO_BUF struct buf internal = BUF_INIT(ADDRESSES_MEMORY);

    if (!address_unquote(external, &internal))
        pipeline_failed(d, "address too long");
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
        pipeline_failed(d, "too many addresses");
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
        pipeline_failed(d, "address too long");
    if (a != NULL && next_address(a->next) != NULL)
        event_warning("-f option specified malformed sender: %s", sender_name(o));
}

static void put_sender(struct pipeline *d, const struct sendmail_options *o)
{
    AUTO_BUF struct buf internal = BUF_INIT(ADDRESSES_MEMORY);

    sender_address(d, o, &internal);
    if (o->verp != NULL && internal.n == 0)
        event_fatal("%s(%ld): -V option requires non-null sender address", sender_name(o), (long)getuid());
    pipeline_put(d, RECORD_SENDER, buf_slice(&internal));
}

static slice verp_delimiters(const struct params *p, const struct sendmail_options *o)
{
    slice allowed = slice_text(p->verp_delimiter_filter), given = slice_text(o->verp);

    if (given.n == 0)
        given = slice_text(p->default_verp_delimiters);
    if (verp_delimiters_fault(given, allowed) != NULL)
        event_fatal("-V requires two characters from %.*s", S_ARG(allowed));
    return given;
}

static void put_envelope(struct pipeline *d, const struct params *p, const struct sendmail_options *o)
{
    AUTO_BUF struct buf name = BUF_INIT(1000);

    if (o->envelope_id != NULL)
        pipeline_putf(d, RECORD_ATTRIBUTE, "envelope_id=%s", o->envelope_id);
    if (o->ret_flags != 0)
        pipeline_putf(d, RECORD_ATTRIBUTE, "ret_flags=%d", o->ret_flags);
    pipeline_putf(d, RECORD_ATTRIBUTE, "rewrite_context=%s", o->remote_context ? "remote" : "local");
    if (o->full_name != NULL)
        (void)buf_add_text(&name, o->full_name);
    else
        add_full_name(&name);
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '\n' || name.p[i] == '\r')
            name.p[i] = ' ';
    if (name.n > 0)
        pipeline_put(d, RECORD_FULL_NAME, buf_slice(&name));
    put_sender(d, o);
    if (o->encoding != NULL)
        pipeline_putf(d, RECORD_ATTRIBUTE, "encoding=%s", o->encoding);
    if (o->trace_flags != 0)
        pipeline_putf(d, RECORD_ATTRIBUTE, "trace_flags=%d", o->trace_flags);
    if (o->verp != NULL)
        pipeline_put(d, RECORD_VERP, verp_delimiters(p, o));
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
    struct buf input; /* read from stdin */
    size_t taken;     /* how much of it */
    bool at_end;
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
    pipeline_put(c->to, ends ? RECORD_TEXT : RECORD_LONG_TEXT, text);
    c->line_open = !ends;
}

static void read_more(struct content *c)
{
    char *to;
    ssize_t n;

    buf_consume(&c->input, c->taken);
    c->taken = 0;
    to = buf_reserve(&c->input, READ_BYTES);
    do
        n = read(STDIN_FILENO, to, READ_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        event_fatal("%s(%ld): error reading input: %m", c->to->sender, (long)getuid());
    c->at_end = n == 0;
    buf_commit(&c->input, (size_t)n);
}

/* The next piece of stdin: up to a newline (ENDS, and it is left out), or MOST bytes, or what comes before the end of file.
 * Lives until the next call.  False: nothing is left. */
static bool next_piece(struct content *c, size_t most, slice *text, bool *ends)
{
    for (;;) {
        slice rest = slice_skip(buf_slice(&c->input), c->taken);
        size_t n = slice_find(slice_head(rest, most), '\n');

        *ends = n != SLICE_NONE;
        if (*ends || rest.n >= most || c->at_end) {
            *text = slice_head(rest, *ends ? n : most);
            c->taken += text->n + (*ends ? 1 : 0);
            return *ends || text->n > 0;
        }
        read_more(c);
    }
}

/* Stdin in pieces of at most line_length_limit, up to a lone dot or the end. */
static void read_content(struct content *c, size_t most)
{
    slice piece;
    bool ends;

    buf_init(&c->input, most + READ_BYTES);
    while (next_piece(c, most, &piece, &ends)) {
        if (ends && !c->line_open && !c->options->dots_are_data && (slice_eq(piece, S(".")) || slice_eq(piece, S(".\r"))))
            break;
        take_piece(c, piece, ends);
    }
    if (c->line_open)
        pipeline_put(c->to, RECORD_TEXT, S(""));
    buf_done(&c->input);
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
        pipeline_put(c->to, RECORD_TEXT, line);
}

void enqueue(const struct params *p, const struct sendmail_options *o)
{
    struct pipeline d;
    struct content c = {.to = &d, .options = o, .in_header = true, .arena = ARENA_INIT(ADDRESSES_MEMORY)};

    if (o->recipients[0] == NULL && !o->header_recipients)
        event_fatal("%s(%ld): Recipient addresses must be specified on the command line or via the -t option",
                    sender_name(o), (long)getuid());
    c.fix_ends = p->sendmail_fix_line_endings[0] == 'a'   ? FIX_ALWAYS
                 : p->sendmail_fix_line_endings[0] == 's' ? FIX_STRICT
                                                          : FIX_NEVER;
    c.last = &c.recipients;
    buf_init(&c.header, HEADER_MOST);
    pipeline_open(&d, p, sender_name(o));
    put_envelope(&d, p, o);
    pipeline_put(&d, RECORD_CONTENT, S(""));
    if (o->probes)
        put_probe(&c);
    else
        read_content(&c, (size_t)p->line_length_limit);
    header_done(&c);
    pipeline_put(&d, RECORD_EXTRACTED, S(""));
    if (o->header_recipients && o->recipients[0] == NULL && c.recipients == NULL)
        event_fatal("%s(%ld): No recipient addresses found in message header", sender_name(o), (long)getuid());
    for (const struct header_recipient *r = c.recipients; r != NULL; r = r->next)
        put_recipient(&d, o, r->address);
    pipeline_put(&d, RECORD_END, S(""));
    pipeline_close(&d);
    buf_done(&c.header);
    arena_done(&c.arena);
}
