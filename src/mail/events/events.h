/* mail/events/events.h - everything a program reports: one typed event each, printed as Postfix's log line.
 *
 * Only programs call these.  events_open() gives the process its log; before it, lines go to stderr.  One call is one line.
 * Catalogue and exact texts: flow.md section 3.  Addresses are printed in external (quoted) form, non-printables as '?'. */
#ifndef MAIL_EVENTS_EVENTS_H
#define MAIL_EVENTS_EVENTS_H

#include "core/base/buf.h"
#include "core/log/log.h"
#include "mail/envelope/message_times.h"
#include "mail/envelope/outcome.h"
#include "mail/envelope/recipient.h"

void events_open(struct log *log);
struct log *events_log(void);
/* FN is called after each line: for the one who sees to it that kept ones get out (mail/service/log_lines). */
void events_after_line(void (*fn)(void));
/* FN is called after the line of event_fatal(), while the log is still open: for what has to be added.  NULL: nothing more. */
void events_on_fatal(void (*fn)(void));

/* info_log_address_format: addresses in lines without quotes.  Until it is said, with them. */
void events_address_form(bool internal);
bool events_has_internal_addresses(void);

/* ---- free text, for what has no event of its own ---- */
void event_info(const char *format, ...) PRINTF_LIKE(1, 2);
void event_warning(const char *format, ...) PRINTF_LIKE(1, 2);
/* Each line of LINES as a warning, or, where it begins with "error: ", as an error: what tables_open() has to say. */
void event_warning_lines(slice lines);
/* The table TABLE could not be asked for KEY: "TABLE lookup error for "KEY"", after what it said itself. */
void event_look_up_failed(const char *table, slice key, const struct err *err);
void event_error(const char *format, ...) PRINTF_LIKE(1, 2);
/* A line that was made elsewhere, at its level; nothing ends, whatever that is. */
void event_line(enum log_level level, slice text);
/* Likewise with all that goes before a line (log_packet()). */
void event_packet(slice packet);
/* Logs "fatal: ..." and ends the process with status 1 after a second's pause (so that a failing daemon does not spin);
 * in commands (events_set_fatal) at once, with the given status. */
NORETURN void event_fatal(const char *format, ...) PRINTF_LIKE(1, 2);
void events_set_fatal(int exit_status, bool pause);

/* ---- a message's journey; ID is the queue id ---- */
struct event_received_local {   /* pickup: "ID: uid=U from=<S>[ orig_id=OLD]" */
    slice id;
    unsigned uid;
    slice sender;
    slice orig_id; /* empty: not requeued */
};
struct event_received_client {  /* smtpd: "ID: client=NAME[ADDR][, sasl_method=..., sasl_username=...][, sasl_sender=...]..." */
    slice id, client; /* "name[addr]" */
    slice sasl_method, sasl_username, sasl_sender, orig_queue_id, orig_client;
};
struct event_message_id {       /* cleanup: "ID: message-id=<...>"; RESENT: "resent-message-id" */
    slice id, message_id;       /* MESSAGE_ID as the header has it, with its <> */
    bool resent;
};
struct event_inspected {        /* cleanup: "ID: ACTION: SUBJECT TEXT from ORIGIN; from=<S>[ to=<R>][ proto=P][ helo=<H>][: NOTE]" */
    slice id;
    const char *action;         /* "reject" */
    const char *subject;        /* "header", "body", or "mime-error ...:" */
    slice text;                 /* the first 200 bytes are shown */
    slice origin;               /* "name[addr]" or "local" */
    slice sender, recipient;    /* no recipient: none was seen */
    slice protocol, helo, note;
};
struct event_queued {           /* qmgr: "ID: from=<S>, size=N, nrcpt=N (queue active)" */
    slice id, sender;
    int64_t size;
    int recipients;
};
struct event_attempt {          /* delivery line of flow.md 3.1; STATUS from outcome.kind unless STATUS_TEXT is set */
    slice id;
    const struct recipient *recipient;
    const struct message_times *times;
    const struct outcome *outcome;
    slice status_text;          /* "sent" ... overrides ("deliverable", "expanded") */
    int delay_digits;           /* delay_logging_resolution_limit; 2 */
};
struct event_expired {          /* qmgr: "ID: from=<S>, status=expired, returned to sender" (FORCED: force-expired) */
    slice id, sender;
    bool forced;
};
struct event_notice {           /* bounce: "ID: sender non-delivery notification: NEWID" */
    slice id;
    const char *kind;           /* "sender non-delivery notification" */
    slice new_id;
};

void event_received_local(const struct event_received_local *e);
void event_received_client(const struct event_received_client *e);
void event_message_id(const struct event_message_id *e);
void event_inspected(const struct event_inspected *e);
void event_queued(const struct event_queued *e);
void event_attempt(const struct event_attempt *e);
void event_removed(slice id);
void event_expired(const struct event_expired *e);
void event_notice(const struct event_notice *e);

/* Address text for a log line: external form, '?' for control characters, "" stays empty (the caller writes the <>).  What of
 * the rest is printable is the log's business. */
void event_print_address(slice internal, struct buf *out);

#endif
