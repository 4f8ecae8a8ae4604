/* mail/syntax/header.h - message headers: names, folding, address lists.  Pure.  RFC 5322. */
#ifndef MAIL_SYNTAX_HEADER_H
#define MAIL_SYNTAX_HEADER_H

#include "core/base/arena.h"
#include "core/base/buf.h"

/* Headers this system treats specially. */
#define HEADER_NAMES(H)                                                                                                \
    H(APPARENTLY_TO, "Apparently-To") H(BCC, "Bcc") H(CC, "Cc") H(CONTENT_DESCRIPTION, "Content-Description")          \
    H(CONTENT_DISPOSITION, "Content-Disposition") H(CONTENT_ID, "Content-ID") H(CONTENT_LENGTH, "Content-Length")      \
    H(CONTENT_TRANSFER_ENCODING, "Content-Transfer-Encoding")                                                          \
    H(CONTENT_TYPE, "Content-Type") H(DATE, "Date") H(DELIVERED_TO, "Delivered-To")                                    \
    H(DISPOSITION_NOTIFICATION_TO, "Disposition-Notification-To") H(ERRORS_TO, "Errors-To")                            \
    H(FROM, "From") H(MAIL_FOLLOWUP_TO, "Mail-Followup-To") H(MESSAGE_ID, "Message-Id")                                \
    H(MIME_VERSION, "MIME-Version") H(RECEIVED, "Received")                                                            \
    H(REPLY_TO, "Reply-To") H(RESENT_BCC, "Resent-Bcc") H(RESENT_CC, "Resent-Cc") H(RESENT_DATE, "Resent-Date")        \
    H(RESENT_FROM, "Resent-From") H(RESENT_MESSAGE_ID, "Resent-Message-Id") H(RESENT_REPLY_TO, "Resent-Reply-To")      \
    H(RESENT_SENDER, "Resent-Sender") H(RESENT_TO, "Resent-To") H(RETURN_PATH, "Return-Path")                          \
    H(RETURN_RECEIPT_TO, "Return-Receipt-To") H(SENDER, "Sender") H(SUBJECT, "Subject") H(TO, "To")                    \
    H(TLS_REQUIRED, "TLS-Required")
#define HEADER_ENUM(name, text) HEADER_##name,
enum header_kind { HEADER_OTHER, HEADER_NAMES(HEADER_ENUM) HEADER_KINDS };

/* Headers that hold addresses: of who sends, and of who gets it. */
#define HEADER_SENDERS(H)                                                                                              \
    H(FROM) H(SENDER) H(REPLY_TO) H(ERRORS_TO) H(RETURN_RECEIPT_TO) H(RESENT_FROM) H(RESENT_SENDER)                    \
    H(RESENT_REPLY_TO) H(DISPOSITION_NOTIFICATION_TO)
#define HEADER_RECIPIENTS(H)                                                                                           \
    H(TO) H(CC) H(BCC) H(APPARENTLY_TO) H(RESENT_TO) H(RESENT_CC) H(RESENT_BCC) H(MAIL_FOLLOWUP_TO)

/* Is LINE the start of a header ("Name:" or "Name :")?  *NAME without blanks and colon, *KIND, *VALUE what follows ':'. */
bool header_line_parse(slice line, slice *name, enum header_kind *kind, slice *value);
const char *header_kind_name(enum header_kind k);
enum header_kind header_kind_of(slice name); /* HEADER_OTHER: none of them */

/* Tokens of a structured header, for rewriting and for sendmail -t.  A mailbox's address is reported in internal form. */
struct header_address {
    slice before;   /* text of the header up to the address's first byte */
    slice external; /* the address as it stands in the header */
    slice address;  /* internal form, in ARENA */
};
/* The next address of an address list (groups, comments, routes and phrases are skipped; an address inside <> or bare).
 * *REST shrinks; text after the last address stays in it.  False: no more, or ARENA's cap. */
bool header_next_address(slice *rest, struct arena *arena, struct header_address *out);

#endif
