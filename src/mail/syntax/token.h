/* mail/syntax/token.h - the tokens of a structured header's value (or of an SMTP path).  Pure.  RFC 5322 3.2. */
#ifndef MAIL_SYNTAX_TOKEN_H
#define MAIL_SYNTAX_TOKEN_H

#include "core/base/slice.h"

enum token_kind {
    TOKEN_ATOM,    /* anything but blanks and specials; a backslash takes the next byte with it */
    TOKEN_QUOTED,  /* "...", with its quotes */
    TOKEN_LITERAL, /* [...], with its brackets */
    TOKEN_COMMENT, /* (...), nested, with its parentheses */
    TOKEN_SPECIAL, /* one of  < > @ , ; : . ) ] */
};

struct token {
    enum token_kind kind;
    slice text;
    size_t blanks; /* bytes of white space (line ends included) before it */
    bool closed;   /* quoted, literal, comment: has its closing mark; without one it reaches to the end of the input */
};

/* The next token; moves *REST past it.  False: only blanks are left; *REST as it was. */
bool cut_token(slice *rest, struct token *out);

static inline bool token_is(const struct token *t, char special)
{
    return t->kind == TOKEN_SPECIAL && t->text.p[0] == special;
}

#endif
