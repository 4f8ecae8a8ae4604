/* mail/syntax/address.h - mail addresses: internal (unquoted) and external (quoted) form, parts, SMTP paths.
 *
 * Internal form is what queue files and tables hold: the local part without quotes.  External form is what stands in SMTP,
 * headers and logs.  Pure.  RFC 5321 4.1.2, RFC 5322 3.4. */
#ifndef MAIL_SYNTAX_ADDRESS_H
#define MAIL_SYNTAX_ADDRESS_H

#include "core/base/buf.h"

/* Splits at the last '@'.  Without one, *DOMAIN is empty. */
void address_split(slice address, slice *local, slice *domain);
/* Internal to external: quotes the local part when it must (RFC 5321 / 5322 specials), else copies. */
bool address_quote(slice internal, struct buf *out);
/* External to internal: removes quotes and backslashes of the local part; copies the rest. */
bool address_unquote(slice external, struct buf *out);
/* The local part up to the extension: first of DELIMITERS in it (not at its start; special for owner-, -request and
 * double-bounce as recipient_delimiter(5) says).  *EXTENSION is empty when there is none. */
void address_split_extension(slice local, slice delimiters, slice *base, slice *extension);

/* A path of MAIL FROM or RCPT TO: "<...>" with an optional source route, or bare as STRICT allows.  *ADDRESS is the internal
 * form, written to OUT.  What follows the path stays in *LINE (parameters, with leading blank).  False: bad syntax; *LINE
 * as it was. */
struct smtp_path_options {
    bool strict;     /* strict_rfc821_envelopes: demand <>, refuse comments */
    bool allow_empty;
};
bool cut_smtp_path(slice *line, const struct smtp_path_options *o, struct buf *out);

/* "[192.0.2.1]" or "[IPv6:...]" */
bool domain_is_literal(slice domain);
/* Letters, digits, hyphens and dots in legal places, at most 255 bytes, labels 63; not all numeric. */
bool hostname_valid(slice name);

#endif
