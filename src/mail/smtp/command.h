/* mail/smtp/command.h - what stands behind the word of a client's command: parameters of MAIL and RCPT, the size of a
 * chunk, the attributes of XCLIENT and XFORWARD.
 *
 * Parsers are pure; results point into the input or into a buffer of the caller's.  RFC 5321 4.1.1.11, 1870, 6152, 3461,
 * 6531, 4954, 3030; XCLIENT_README, XFORWARD_README. */
#ifndef MAIL_SMTP_COMMAND_H
#define MAIL_SMTP_COMMAND_H

#include "core/base/buf.h"

enum parameter_fault {
    PARAMETER_GOOD,
    PARAMETER_UNSUPPORTED,
    PARAMETER_SIZE,     /* no number */
    PARAMETER_TOO_BIG,  /* a number beyond all files */
    PARAMETER_RET,
    PARAMETER_ENVID,
    PARAMETER_NOTIFY,
    PARAMETER_ORCPT,
    PARAMETER_DSN_OFF,  /* RET, ENVID, NOTIFY or ORCPT, where DSN is not spoken */
};
/* The client's reply: "501 5.5.4 Bad message size syntax"; NULL for PARAMETER_GOOD and PARAMETER_UNSUPPORTED. */
const char *parameter_fault_reply(enum parameter_fault fault);

/* Which extensions are spoken. */
struct parameter_rules {
    bool dsn, smtputf8, verp;
};

struct mail_parameters {
    int64_t size;         /* 0: not given */
    slice encoding;       /* "7bit", "8bit" or empty */
    int ret;              /* RET_... of mail/envelope/recipient.h */
    slice envelope_id;    /* decoded; empty: not given */
    slice auth;           /* as given; .p NULL: not given, or <> */
    bool smtputf8;
    bool verp;             /* XVERP */
    slice verp_delimiters; /* of "XVERP=..."; .p NULL: not given */
};
/* TEXT is what follows the path.  Decoded values are appended to DECODED (which should take four times the bytes of TEXT).
 * What a NUL hides is no part of a decoded value.  On a fault *CULPRIT is the parameter. */
MUST_CHECK enum parameter_fault mail_parameters_parse(slice text, const struct parameter_rules *rules, struct buf *decoded,
                                                      struct mail_parameters *out, slice *culprit);
/* Is SMTPUTF8 among the parameters?  It says how the path before them is to be read. */
bool parameters_say_smtputf8(slice text);

struct rcpt_parameters {
    int notify;           /* NOTIFY_... flags */
    slice orcpt;          /* "type;address", decoded; empty: not given */
};
/* For PARAMETER_NOTIFY, *CULPRIT is the word that nobody knows (or empty) and *WHOLE the value it stood in. */
MUST_CHECK enum parameter_fault rcpt_parameters_parse(slice text, const struct parameter_rules *rules, struct buf *decoded,
                                                      struct rcpt_parameters *out, slice *culprit, slice *whole);

/* "COUNT" or "COUNT LAST" */
bool bdat_parse(slice text, int64_t *bytes, bool *last);

/* The next "NAME=VALUE" of XCLIENT and XFORWARD, still coded.  False: no such thing is next (see whether *REST is empty). */
bool cut_proxy_attribute(slice *rest, slice *name, slice *value);

#endif
