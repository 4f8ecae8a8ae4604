/* HELO and EHLO, and which extensions a client is offered. */
#include <stdio.h>

#include "core/base/cut.h"
#include "mail/events/events.h"
#include "receive/smtpd/session.h"

enum { HELO_LEAST = 64 };

void session_neuter(const struct session *s, char *text, size_t n)
{
    bool utf8 = s->world->params->smtputf8_enable;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c <= ' ' || c == 127 || (c > 127 && !utf8) || slice_find(S("<>()\\\";@"), text[i]) != SLICE_NONE)
            text[i] = '?';
    }
}

bool session_set_helo(struct session *s, slice name)
{
    size_t room = s->helo_room_bytes > 0 ? s->helo_room_bytes : HELO_LEAST;

    while (room < name.n)
        room *= 2;
    if (room > s->helo_room_bytes) {
        char *bigger = arena_alloc(&s->arena, room);

        if (bigger == NULL)
            return false;
        s->helo_room = bigger;
        s->helo_room_bytes = room;
    }
    memcpy(s->helo_room, name.p, name.n);
    session_neuter(s, s->helo_room, name.n);
    s->helo = slice_of(s->helo_room, name.n);
    return true;
}

static bool hello(struct session *s, slice arguments, bool esmtp)
{
    slice name = slice_trim(arguments);

    if (name.n == 0)
        return session_say(s, "501 Syntax: %s hostname", esmtp ? "EHLO" : "HELO");
    if (!check_helo(s, name))
        return !s->ended;
    transaction_reset(s);
    forwarded_reset(s);
    if (!session_set_helo(s, name))
        return session_say(s, "452 4.3.1 Error: insufficient memory");
    s->is_esmtp = s->is_esmtp || esmtp;
    s->ok[esmtp ? COMMAND_EHLO : COMMAND_HELO]++;
    return true;
}

bool command_helo(struct session *s, slice arguments)
{
    unsigned ok = s->ok[COMMAND_HELO];

    if (!hello(s, arguments, false) || s->ok[COMMAND_HELO] == ok)
        return !s->ended;
    return session_say(s, "250 %s", s->world->params->myhostname);
}

/* ---- extensions ---- */

struct keyword {
    unsigned bit;
    slice word;
};

/* In the order in which the log names those that are discarded. */
static const struct keyword keywords[] = {
    {KEYWORD_8BITMIME, S_INIT("8BITMIME")},
    {KEYWORD_AUTH, S_INIT("AUTH")},
    {KEYWORD_ETRN, S_INIT("ETRN")},
    {KEYWORD_PIPELINING, S_INIT("PIPELINING")},
    {KEYWORD_SIZE, S_INIT("SIZE")},
    {KEYWORD_VERP, S_INIT("VERP")},
    {KEYWORD_VRFY, S_INIT("VRFY")},
    {KEYWORD_XCLIENT, S_INIT("XCLIENT")},
    {KEYWORD_XFORWARD, S_INIT("XFORWARD")},
    {KEYWORD_STARTTLS, S_INIT("STARTTLS")},
    {KEYWORD_ENHANCEDSTATUSCODES, S_INIT("ENHANCEDSTATUSCODES")},
    {KEYWORD_DSN, S_INIT("DSN")},
    {KEYWORD_SMTPUTF8, S_INIT("SMTPUTF8")},
    {KEYWORD_CHUNKING, S_INIT("CHUNKING")},
};

static unsigned keyword_bit(slice word)
{
    for (size_t i = 0; i < COUNT_OF(keywords); i++)
        if (slice_eq_case(word, keywords[i].word))
            return keywords[i].bit;
    return 0;
}

static void log_discarded(unsigned discarded)
{
    AUTO_BUF struct buf line = BUF_INIT(400);

    for (size_t i = 0; i < COUNT_OF(keywords); i++)
        if ((discarded & keywords[i].bit) != 0)
            (void)buf_addf(&line, " %.*s", S_ARG(keywords[i].word));
    event_info("discarding EHLO keywords:%s", buf_text(&line));
}

/* What this client is not offered: its own list, or else the list for all. */
static void find_discarded(struct session *s)
{
    AUTO_BUF struct buf own = BUF_INIT(4096);
    slice list = slice_text(s->world->params->smtpd_discard_ehlo_keywords), word;
    bool silent = false;

    if (session_look_up(s, s->world->discard_keywords, s->client_address, &own))
        list = buf_slice(&own);
    s->discarded_keywords = 0;
    while (cut_word(&list, ", \t\r\n", &word)) {
        silent = silent || slice_eq_case(word, S("silent-discard"));
        s->discarded_keywords |= keyword_bit(word);
    }
    if (s->discarded_keywords != 0 && !silent)
        log_discarded(s->discarded_keywords);
}

bool session_offers(const struct session *s, unsigned keyword)
{
    const struct params *c = s->world->params;

    if ((s->discarded_keywords & keyword) != 0)
        return false;
    switch (keyword) {
    case KEYWORD_VRFY:
        return !c->disable_vrfy_command;
    case KEYWORD_SMTPUTF8:
        return c->smtputf8_enable;
    case KEYWORD_VERP:
        return session_in_hosts(s, s->world->verp_clients);
    case KEYWORD_XCLIENT:
        return session_in_hosts(s, s->world->xclient_hosts);
    case KEYWORD_XFORWARD:
        return s->came_as_xforward;
    default:
        return true;
    }
}

/* The offers in the order the field knows. */
static size_t collect_offers(const struct session *s, char size[static 40], slice lines[static 16])
{
    const struct params *c = s->world->params;
    const struct keyword offers[] = {
        {KEYWORD_PIPELINING, S("PIPELINING")},
        {KEYWORD_SIZE, slice_text(size)},
        {KEYWORD_VRFY, S("VRFY")},
        {KEYWORD_ETRN, S("ETRN")},
        {KEYWORD_VERP, S("XVERP")},
        {KEYWORD_XCLIENT, S("XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT")},
        {KEYWORD_XFORWARD, S("XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT")},
        {KEYWORD_ENHANCEDSTATUSCODES, S("ENHANCEDSTATUSCODES")},
        {KEYWORD_8BITMIME, S("8BITMIME")},
        {KEYWORD_DSN, S("DSN")},
        {KEYWORD_SMTPUTF8, S("SMTPUTF8")},
        {KEYWORD_CHUNKING, S("CHUNKING")},
    };
    size_t count = 0;

    (void)snprintf(size, 40, c->message_size_limit > 0 ? "SIZE %lld" : "SIZE", (long long)c->message_size_limit);
    for (size_t i = 0; i < COUNT_OF(offers); i++)
        if (session_offers(s, offers[i].bit))
            lines[count++] = offers[i].bit == KEYWORD_SIZE ? slice_text(size) : offers[i].word;
    return count;
}

bool command_ehlo(struct session *s, slice arguments)
{
    unsigned ok = s->ok[COMMAND_EHLO];
    slice lines[16];
    char size[40];
    size_t count;

    if (!hello(s, arguments, true) || s->ok[COMMAND_EHLO] == ok)
        return !s->ended;
    find_discarded(s);
    count = collect_offers(s, size, lines);
    if (!session_say(s, "250%c%s", count > 0 ? '-' : ' ', s->world->params->myhostname))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!session_say(s, "250%c%.*s", i + 1 < count ? '-' : ' ', S_ARG(lines[i])))
            return false;
    return true;
}
