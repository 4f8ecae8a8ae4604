/* mail/envelope/outcome.h - what became of a recipient.  Not an error: an error is ours, an outcome is the message's.
 *
 * Texts are slices into memory of whoever made the outcome.  Depends on: core/base. */
#ifndef MAIL_ENVELOPE_OUTCOME_H
#define MAIL_ENVELOPE_OUTCOME_H

#include "core/base/err.h"
#include "core/base/slice.h"

/* An enhanced status code (RFC 3463), "5.1.1".  All zero: none. */
struct dsn_code {
    int class, subject, detail;
};
bool dsn_code_parse(slice text, struct dsn_code *out); /* the whole of TEXT */
bool cut_dsn_code(slice *s, struct dsn_code *out);     /* at the front, followed by blank or end */
enum { DSN_CODE_TEXT = 16 };
void dsn_code_print(struct dsn_code code, char to[DSN_CODE_TEXT]);

enum outcome_kind { OUTCOME_DELIVERED, OUTCOME_DEFERRED, OUTCOME_BOUNCED };

struct outcome {
    enum outcome_kind kind;
    struct dsn_code dsn;
    slice reason;     /* the log line's text in parentheses: "delivered to mailbox", "connect to x[y]:25: refused" */
    slice diag_type;  /* "smtp", "x-unix", or empty */
    slice diag_text;  /* remote reply */
    slice mta_type;   /* "dns" or empty */
    slice mta_name;   /* remote host */
    slice action;     /* "delivered", "relayed", "expanded", "failed", "delayed"; empty: by KIND */
    slice relay;      /* for the log: "local", "host[addr]:port", "none" */
};

/* Our failure as the recipient's outcome: deferred, with a 4.3.0 kind of code by the error (ERR_LIMIT 4.3.1, ...). */
struct outcome outcome_from_err(const struct err *err);
/* RFC 3463 class decides: 2 delivered, 4 deferred, 5 bounced. */
enum outcome_kind outcome_kind_of(struct dsn_code code);

#endif
