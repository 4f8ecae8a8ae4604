#include "mail/events/events.h"

#include "core/base/clock.h"
#include "mail/events/process.h"
#include "mail/syntax/address.h"

enum { LINE_BYTES = 32768, ADDRESS_BYTES = 8192, INSPECTED_MOST = 200, USUAL_BYTES = 255 };

/* These lines are many, and printf() is dear: what stands in each of them is put together by hand. */

static void begin(struct buf *line, slice id)
{
    (void)buf_reserve(line, USUAL_BYTES);
    (void)buf_add(line, id);
    (void)buf_add(line, S(": "));
}

static void add_printable(struct buf *line, slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        (void)buf_add_char(line, c < ' ' || c == 127 ? '?' : (char)c);
    }
}

void event_print_address(slice internal, struct buf *out)
{
    AUTO_BUF struct buf quoted = BUF_INIT(ADDRESS_BYTES);

    if (internal.n == 0)
        return;
    if (events_has_internal_addresses()) {
        add_printable(out, internal);
        return;
    }
    (void)address_quote(internal, &quoted);
    add_printable(out, buf_slice(&quoted));
}

/* "NAME=<ADDRESS>" */
static void add_address(struct buf *line, const char *name, slice address)
{
    (void)buf_add_text(line, name);
    (void)buf_add(line, S("=<"));
    event_print_address(address, line);
    (void)buf_add_char(line, '>');
}

/* ", NAME=VALUE" unless VALUE is empty. */
static void add_given(struct buf *line, const char *name, slice value)
{
    if (value.n == 0)
        return;
    (void)buf_add(line, S(", "));
    (void)buf_add_text(line, name);
    (void)buf_add_char(line, '=');
    (void)buf_add(line, value);
}

static void send(const struct buf *line)
{
    process_line(LOG_LEVEL_INFO, buf_slice(line));
}

void event_received_local(const struct event_received_local *e)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES);

    (void)buf_addf(&line, "%.*s: uid=%u ", S_ARG(e->id), e->uid);
    add_address(&line, "from", e->sender);
    if (e->orig_id.n > 0)
        (void)buf_addf(&line, " orig_id=%.*s", S_ARG(e->orig_id));
    send(&line);
}

void event_received_client(const struct event_received_client *e)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES);

    begin(&line, e->id);
    (void)buf_add(&line, S("client="));
    (void)buf_add(&line, e->client);
    add_given(&line, "sasl_method", e->sasl_method);
    add_given(&line, "sasl_username", e->sasl_username);
    add_given(&line, "sasl_sender", e->sasl_sender);
    add_given(&line, "orig_queue_id", e->orig_queue_id);
    add_given(&line, "orig_client", e->orig_client);
    send(&line);
}

void event_message_id(const struct event_message_id *e)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES);

    begin(&line, e->id);
    (void)buf_add(&line, e->resent ? S("resent-message-id=") : S("message-id="));
    (void)buf_add(&line, e->message_id);
    send(&line);
}

void event_inspected(const struct event_inspected *e)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES);

    (void)buf_addf(&line, "%.*s: %s: %s ", S_ARG(e->id), e->action, e->subject);
    add_printable(&line, slice_head(e->text, INSPECTED_MOST));
    (void)buf_addf(&line, " from %.*s; ", S_ARG(e->origin));
    add_address(&line, "from", e->sender);
    if (e->recipient.n > 0) {
        (void)buf_add_char(&line, ' ');
        add_address(&line, "to", e->recipient);
    }
    if (e->protocol.n > 0)
        (void)buf_addf(&line, " proto=%.*s", S_ARG(e->protocol));
    if (e->helo.n > 0)
        (void)buf_addf(&line, " helo=<%.*s>", S_ARG(e->helo));
    if (e->note.n > 0)
        (void)buf_addf(&line, ": %.*s", S_ARG(e->note));
    send(&line);
}

void event_queued(const struct event_queued *e)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES);

    begin(&line, e->id);
    add_address(&line, "from", e->sender);
    (void)buf_add(&line, S(", size="));
    (void)buf_add_number(&line, e->size);
    (void)buf_add(&line, S(", nrcpt="));
    (void)buf_add_number(&line, e->recipients);
    (void)buf_add(&line, S(" (queue active)"));
    send(&line);
}

static slice status_of(const struct event_attempt *e)
{
    static const slice words[] = {
        [OUTCOME_DELIVERED] = S_INIT("sent"),
        [OUTCOME_DEFERRED] = S_INIT("deferred"),
        [OUTCOME_BOUNCED] = S_INIT("bounced"),
    };

    return e->status_text.n > 0 ? e->status_text : words[e->outcome->kind];
}

/* A remote reply of several lines becomes one. */
static void add_reason(struct buf *line, slice reason)
{
    for (size_t i = 0; i < reason.n; i++)
        (void)buf_add_char(line, reason.p[i] == '\n' ? ' ' : reason.p[i]);
}

void event_attempt(const struct event_attempt *e)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES);
    slice relay = e->outcome->relay.n > 0 ? e->outcome->relay : S("none");
    char dsn[DSN_CODE_TEXT];

    begin(&line, e->id);
    add_address(&line, "to", e->recipient->address);
    if (e->recipient->original.n > 0 && !slice_eq_case(e->recipient->original, e->recipient->address)) {
        (void)buf_add(&line, S(", "));
        add_address(&line, "orig_to", e->recipient->original);
    }
    add_given(&line, "relay", relay);
    if (e->times->connection_reuses > 0) {
        (void)buf_add(&line, S(", conn_use="));
        (void)buf_add_number(&line, (int64_t)e->times->connection_reuses + 1);
    }
    (void)buf_add(&line, S(", "));
    (void)message_times_print(e->times, clock_wall_us(), e->delay_digits, &line);
    dsn_code_print(e->outcome->dsn, dsn);
    add_given(&line, "dsn", slice_text(dsn));
    add_given(&line, "status", status_of(e));
    (void)buf_add(&line, S(" ("));
    add_reason(&line, e->outcome->reason);
    (void)buf_add_char(&line, ')');
    send(&line);
}

void event_removed(slice id)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES);

    begin(&line, id);
    (void)buf_add(&line, S("removed"));
    send(&line);
}

void event_expired(const struct event_expired *e)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES);

    begin(&line, e->id);
    add_address(&line, "from", e->sender);
    (void)buf_addf(&line, ", status=%sexpired, returned to sender", e->forced ? "force-" : "");
    send(&line);
}

void event_notice(const struct event_notice *e)
{
    event_info("%.*s: %s: %.*s", S_ARG(e->id), e->kind, S_ARG(e->new_id));
}
