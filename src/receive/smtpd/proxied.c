/* XCLIENT and XFORWARD: what a client in front of us (a content filter, a test) knows of its own client.
 *
 * XCLIENT changes who the client is, for decisions, too.  XFORWARD changes the log and the queue file alone, for one
 * message.  XCLIENT_README, XFORWARD_README. */
#include "core/base/cut.h"
#include "core/net/endpoint.h"
#include "mail/events/events.h"
#include "mail/smtp/command.h"
#include "mail/syntax/address.h"
#include "mail/syntax/xtext.h"
#include "mail/table/table.h"
#include "receive/smtpd/session.h"

enum { VALUE_MOST = 255, PROTOCOL_MOST = 64 };

static const slice unknown = S_INIT("unknown");

enum value_kind { VALUE_NAME, VALUE_ADDRESS, VALUE_PORT, VALUE_PROTOCOL, VALUE_ANY_PROTOCOL, VALUE_WORD, VALUE_SOURCE };

/* An attribute: how its value is checked, and where it goes (an offset into struct session). */
struct attribute {
    slice name;
    enum value_kind kind;
    size_t offset;
};

#define IN_SESSION(field) offsetof(struct session, field)
static const struct attribute xclient_attributes[] = {
    {S_INIT("NAME"), VALUE_NAME, IN_SESSION(client_name)},
    {S_INIT("REVERSE_NAME"), VALUE_NAME, IN_SESSION(reverse_name)},
    {S_INIT("ADDR"), VALUE_ADDRESS, IN_SESSION(client_address)},
    {S_INIT("PORT"), VALUE_PORT, IN_SESSION(client_port)},
    {S_INIT("HELO"), VALUE_WORD, IN_SESSION(helo)},
    {S_INIT("PROTO"), VALUE_PROTOCOL, 0},
    {S_INIT("LOGIN"), VALUE_WORD, IN_SESSION(sasl_username)},
    {S_INIT("DESTADDR"), VALUE_ADDRESS, IN_SESSION(server_address)},
    {S_INIT("DESTPORT"), VALUE_PORT, IN_SESSION(server_port)},
};
static const struct attribute xforward_attributes[] = {
    {S_INIT("NAME"), VALUE_NAME, IN_SESSION(forwarded.name)},
    {S_INIT("ADDR"), VALUE_ADDRESS, IN_SESSION(forwarded.address)},
    {S_INIT("PORT"), VALUE_PORT, IN_SESSION(forwarded.port)},
    {S_INIT("PROTO"), VALUE_ANY_PROTOCOL, IN_SESSION(forwarded.protocol)},
    {S_INIT("HELO"), VALUE_WORD, IN_SESSION(forwarded.helo)},
    {S_INIT("IDENT"), VALUE_WORD, IN_SESSION(forwarded.ident)},
    {S_INIT("SOURCE"), VALUE_SOURCE, 0},
};

static const struct attribute *find(const struct attribute *rows, size_t count, slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq_case(rows[i].name, name))
            return &rows[i];
    return NULL;
}

static bool is_digits(slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!ascii_is_digit(text.p[i]))
            return false;
    return text.n > 0;
}

/* "192.0.2.1", "IPV6:2001:db8::1"; *VALUE is then the address alone, in its usual form. */
static bool parse_address(const struct session *s, slice *value, char text[static ENDPOINT_TEXT])
{
    slice given = *value;
    bool six = cut_prefix_case(&given, S("IPV6:")), speaks_six;
    struct endpoint e;

    speaks_six = slice_find_slice(slice_text(s->world->params->inet_protocols), S("ipv6")) != SLICE_NONE ||
                 slice_find_slice(slice_text(s->world->params->inet_protocols), S("all")) != SLICE_NONE;
    if (given.n == 0 || given.p[0] == '[' || !endpoint_parse(given, &e) ||
        (e.u.any.sa_family == AF_INET6) != six || (six && !speaks_six))
        return false;
    endpoint_print(&e, text);
    *value = slice_text(text);
    return true;
}

static bool is_good(const struct session *s, enum value_kind kind, slice *value, char text[static ENDPOINT_TEXT])
{
    switch (kind) {
    case VALUE_NAME:
        return hostname_valid(*value);
    case VALUE_ADDRESS:
        return parse_address(s, value, text);
    case VALUE_PORT:
        return is_digits(*value);
    case VALUE_PROTOCOL:
        return slice_eq_case(*value, S("SMTP")) || slice_eq_case(*value, S("ESMTP"));
    case VALUE_ANY_PROTOCOL:
        return value->n <= PROTOCOL_MOST;
    case VALUE_SOURCE:
        return slice_eq_case(*value, S("LOCAL")) || slice_eq_case(*value, S("REMOTE"));
    default:
        return true;
    }
}

struct told {
    const struct attribute *attribute;
    struct buf value;
    bool unavailable, uncertain; /* nobody knows it; just now */
};

/* The next attribute, decoded and checked.  False: a reply has been given. */
static bool next_attribute(struct session *s, slice *rest, const char *command, const struct attribute *rows,
                           size_t count, struct told *out)
{
    char text[ENDPOINT_TEXT];
    slice name, coded, value;
    size_t nul;

    buf_clear(&out->value);
    if (!cut_proxy_attribute(rest, &name, &coded)) {
        (void)session_say(s, "501 5.5.4 Error: attribute=value expected");
        return false;
    }
    if (coded.n > VALUE_MOST) {
        (void)session_say(s, "501 5.5.4 Error: attribute value too long");
        return false;
    }
    out->attribute = find(rows, count, name);
    if (out->attribute == NULL) {
        (void)session_say(s, "501 5.5.4 Bad %s attribute name: %.*s", command, S_ARG(name));
        return false;
    }
    out->uncertain = out->attribute->kind == VALUE_NAME && slice_eq_case(coded, S("[TEMPUNAVAIL]"));
    out->unavailable = out->uncertain || slice_eq_case(coded, S("[UNAVAILABLE]"));
    if (out->unavailable && out->attribute->kind != VALUE_PROTOCOL)
        return true;
    value = coded;
    if (xtext_decode(coded, &out->value)) {
        nul = slice_find(buf_slice(&out->value), '\0');
        if (nul != SLICE_NONE)
            buf_truncate(&out->value, nul);
        session_neuter(s, out->value.p, out->value.n);
        value = buf_slice(&out->value);
        if (is_good(s, out->attribute->kind, &value, text)) {
            if (out->attribute->kind == VALUE_ADDRESS) {
                buf_clear(&out->value);
                (void)buf_add(&out->value, value);
            }
            return true;
        }
    }
    (void)session_say(s, "501 5.5.4 Bad %.*s syntax: %.*s", S_ARG(out->attribute->name), S_ARG(value));
    return false;
}

static void told_done(struct told *t)
{
    buf_done(&t->value);
}

bool session_in_hosts(const struct session *s, struct match_list *list)
{
    struct err err;

    return list != NULL && match_list_has(list, s->client_name, s->client_address, session_by(s), &err) == TABLE_FOUND;
}

/* ---- XCLIENT ---- */

/* The texts of the identity, moved to an arena of their own, so that a long session does not collect old ones. */
static bool renew_identity(struct session *s)
{
    slice *const texts[] = {&s->client_name,    &s->reverse_name, &s->client_address, &s->client_port,
                            &s->server_address, &s->server_port,  &s->client_label,   &s->sasl_username};
    struct arena fresh = ARENA_INIT(s->identity_arena.cap_bytes);

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!arena_copy(&fresh, *texts[i], texts[i])) {
            arena_done(&fresh);
            return false;
        }
    arena_done(&s->identity_arena);
    s->identity_arena = fresh;
    return true;
}

static void take_xclient(struct session *s, const struct told *told, bool *helo)
{
    slice *to = (slice *)((char *)s + told->attribute->offset);
    slice value = buf_slice(&told->value);

    if (told->attribute->kind == VALUE_PROTOCOL) {
        s->is_esmtp = slice_eq_case(value, S("ESMTP"));
    } else if (to == &s->helo) {
        *helo = true;
        if (told->unavailable || !session_set_helo(s, value))
            s->helo = (slice){0};
    } else if (to == &s->sasl_username) {
        *to = told->unavailable ? (slice){0} : arena_keep(&s->identity_arena, value, S(""));
        s->sasl_method = told->unavailable ? (slice){0} : S("XCLIENT");
    } else {
        *to = told->unavailable ? unknown : arena_keep(&s->identity_arena, value, unknown);
        if (to == &s->client_name) {
            s->reverse_name = s->client_name;
            s->client_name_uncertain = s->reverse_name_uncertain = told->uncertain;
        } else if (to == &s->reverse_name) {
            s->reverse_name_uncertain = told->uncertain;
        }
    }
}

bool command_xclient(struct session *s, slice arguments)
{
    CLEANUP(told_done) struct told told = {.value = BUF_INIT(1024)};
    bool helo = false, protocol = false;
    slice rest = slice_trim(arguments);

    if (rest.n == 0)
        return session_say(s, "501 5.5.4 Syntax: XCLIENT attribute=value...");
    if (s->t.open)
        return session_say(s, "503 5.5.1 Error: MAIL transaction in progress");
    if (!session_in_hosts(s, s->world->xclient_hosts))
        return session_say(s, "550 5.7.0 Error: insufficient authorization");
    if (!renew_identity(s))
        return session_say(s, "452 4.3.1 Error: insufficient memory");
    limits_disconnect(s);
    while (rest.n > 0) {
        if (!next_attribute(s, &rest, "XCLIENT", xclient_attributes, COUNT_OF(xclient_attributes), &told))
            return !s->ended;
        protocol = protocol || told.attribute->kind == VALUE_PROTOCOL;
        take_xclient(s, &told, &helo);
    }
    peer_describe(s);
    transaction_reset(s);
    forwarded_reset(s);
    if (!helo)
        s->helo = (slice){0};
    if (!protocol)
        s->is_esmtp = false;
    s->if_permit.active = false;
    if (!limits_connect(s))
        return false;
    s->denied = !check_client(s, "XCLIENT");
    return s->denied ? !s->ended : session_say(s, "220 %.*s", S_ARG(s->world->banner));
}

/* ---- XFORWARD ---- */

void forwarded_reset(struct session *s)
{
    s->forwarded = (struct forwarded){0};
    arena_reset(&s->forwarded_arena);
}

static bool take_xforward(struct session *s, const struct told *told)
{
    slice *to = (slice *)((char *)s + told->attribute->offset), kept = unknown;
    struct forwarded *f = &s->forwarded;

    if (told->attribute->kind == VALUE_SOURCE) {
        f->has_source = true;
        f->is_local = told->unavailable || slice_eq_case(buf_slice(&told->value), S("LOCAL"));
        return true;
    }
    if (!told->unavailable && !arena_copy(&s->forwarded_arena, buf_slice(&told->value), &kept))
        return false;
    if (to == &f->ident) {
        *to = told->unavailable ? S("") : kept;
        return true;
    }
    if (!f->client) {
        f->client = true;
        f->name = f->address = f->port = f->protocol = unknown;
    }
    *to = told->unavailable && to == &f->helo ? S("") : kept;
    return true;
}

bool command_xforward(struct session *s, slice arguments)
{
    CLEANUP(told_done) struct told told = {.value = BUF_INIT(1024)};
    slice rest = slice_trim(arguments);

    if (rest.n == 0)
        return session_say(s, "501 5.5.4 Syntax: XFORWARD attribute=value...");
    if (s->t.open)
        return session_say(s, "503 5.5.1 Error: MAIL transaction in progress");
    if (!s->came_as_xforward)
        return session_say(s, "550 5.7.0 Error: insufficient authorization");
    while (rest.n > 0) {
        if (!next_attribute(s, &rest, "XFORWARD", xforward_attributes, COUNT_OF(xforward_attributes), &told))
            return !s->ended;
        if (!take_xforward(s, &told))
            return session_say(s, "452 4.3.1 Error: insufficient memory");
    }
    s->ok[COMMAND_XFORWARD]++;
    return session_say(s, "250 2.0.0 Ok");
}

slice forwarded_label(struct session *s)
{
    const struct forwarded *f = &s->forwarded;

    if (slice_eq(f->address, unknown))
        return f->name;
    return arena_format(&s->forwarded_arena, unknown, "%.*s[%.*s]", S_ARG(f->name), S_ARG(f->address));
}
