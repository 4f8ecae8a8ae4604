#include "commands/sendmail/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "mail/envelope/recipient.h"
#include "mail/events/events.h"

static void by_name(const char *name, struct sendmail_options *o)
{
    if (strcmp(name, "mailq") == 0)
        o->mode = MODE_LIST;
    else if (strcmp(name, "newaliases") == 0)
        o->mode = MODE_ALIASES;
    else if (strcmp(name, "smtpd") == 0)
        o->mode = MODE_SMTP;
}

static void set_mode(struct sendmail_options *o, const char *argument)
{
    switch (argument[0]) {
    case 'd':
    case 'l':
        o->mode = MODE_DAEMON;
        break;
    case 'i':
        o->mode = MODE_ALIASES;
        break;
    case 'm':
        o->mode = MODE_ENQUEUE;
        break;
    case 'p':
        o->mode = MODE_LIST;
        break;
    case 's':
        o->mode = MODE_SMTP;
        break;
    case 'v':
        o->trace_flags = 512;
        o->probes = true;
        break;
    default:
        event_fatal("unsupported: -b%s", argument);
    }
}

static void set_queue(struct sendmail_options *o, const char *argument)
{
    if (argument == NULL || argument[0] == '\0')
        o->mode = MODE_FLUSH;
    else if (argument[0] == 'I')
        o->mode = MODE_FLUSH_FILE, o->argument = argument + 1;
    else if (argument[0] == 'R')
        o->mode = MODE_FLUSH_SITE, o->argument = argument + 1;
    else if (ascii_is_digit(argument[0]))
        o->mode = MODE_NOTHING; /* -q1h: the queue manager has its own idea of time */
    else
        event_fatal("-q%c is not implemented", argument[0]);
}

static void set_old_option(struct sendmail_options *o, const char *argument)
{
    switch (argument[0]) {
    case 'A':
        o->alias_file = argument + 1;
        break;
    case 'i':
        o->dots_are_data = true;
        break;
    case '7':
        o->encoding = "7bit";
        break;
    case '8':
        o->encoding = "8bit";
        break;
    default:
        break; /* means nothing here */
    }
}

static void set_dsn(struct sendmail_options *o, int letter, const char *argument)
{
    slice unknown;
    int flags = letter == 'N' ? notify_parse(slice_text(argument), &unknown) : ret_parse(slice_text(argument));

    if (letter == 'V')
        o->envelope_id = argument[0] != '\0' ? argument : o->envelope_id;
    else if (flags == 0)
        event_warning("bad -%c option value -- ignored", letter);
    else if (letter == 'N')
        o->notify_flags = flags;
    else
        o->ret_flags = flags;
}

static void set_encoding(struct sendmail_options *o, const char *argument)
{
    if (slice_eq_case(slice_text(argument), S("8BITMIME")))
        o->encoding = "8bit";
    else if (slice_eq_case(slice_text(argument), S("7BIT")))
        o->encoding = "7bit";
    else
        event_warning("unrecognized encoding: %s", argument);
}

static void one_option(struct sendmail_options *o, int letter, const char *argument)
{
    switch (letter) {
    case 'b':
        set_mode(o, argument);
        break;
    case 'f':
    case 'r':
        o->sender = argument;
        break;
    case 'F':
        o->full_name = argument;
        break;
    case 'B':
        set_encoding(o, argument);
        break;
    case 'C':
        o->config = argument;
        break;
    case 'G':
        o->remote_context = true;
        break;
    case 'I':
        o->mode = MODE_ALIASES;
        break;
    case 'N':
    case 'R':
    case 'V':
        set_dsn(o, letter, argument);
        break;
    case 'X':
        if (argument[0] == 'V')
            o->verp = argument + 1;
        break;
    case 'i':
        o->dots_are_data = true;
        break;
    case 'o':
        set_old_option(o, argument);
        break;
    case 'q':
        set_queue(o, argument);
        break;
    case 't':
        o->header_recipients = true;
        break;
    case 'v':
        o->trace_flags = o->trace_flags == 0 ? 1024 : o->trace_flags;
        break;
    case '?':
        event_fatal("usage: sendmail [options]");
    default:
        break; /* Sendmail's own: -A -L -O -U -d -e -h -m -n -p */
    }
}

/* What is no mail has no recipients. */
static void refuse_recipients(const struct sendmail_options *o)
{
    static const char *const modes[] = {
        [MODE_LIST] = "display queue mode",   [MODE_ALIASES] = "alias initialization mode",
        [MODE_SMTP] = "stand-alone mode",     [MODE_DAEMON] = "daemon mode",
        [MODE_FLUSH] = "flush queue mode",    [MODE_FLUSH_SITE] = "flush site",
        [MODE_FLUSH_FILE] = "flush queue_id", [MODE_NOTHING] = NULL,
    };

    if (modes[o->mode] != NULL && o->recipients[0] != NULL)
        event_fatal("%s requires no recipient", modes[o->mode]);
}

/* A copy: the environment is cleaned later. */
static const char *name_in_environment(void)
{
    static char *copy;
    const char *name = getenv("NAME");

    free(copy);
    copy = name == NULL ? NULL : xstrndup(name, strlen(name));
    return copy;
}

void options_parse(const char *name, int argc, char **argv, struct sendmail_options *o)
{
    int letter;

    *o = (struct sendmail_options){.mode = MODE_ENQUEUE, .full_name = name_in_environment()};
    by_name(name, o);
    while ((letter = getopt(argc, argv, "+A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:q::r:tvx:d::")) > 0)
        one_option(o, letter, optarg);
    o->recipients = argv + optind;
    refuse_recipients(o);
    if (o->probes && o->header_recipients)
        event_fatal("-t option cannot be used with -bv");
}
