/* mail/content/address_list.h - an address header taken apart, so that its addresses can be replaced, and printed
 * again.
 *
 * Reading goes from the right to the left, so that a ':' is a group's only when a ';' closes it, and a '<' an address's
 * only when a '>' does.  Words next to each other outside <> are addresses of their own; comments move behind the
 * address they stand in or before.  A header that was not changed is never printed: printing normalises blanks.  Pure.
 * RFC 5322 3.4; the forms are those observed of the field's cleanup(8). */
#ifndef MAIL_CONTENT_ADDRESS_LIST_H
#define MAIL_CONTENT_ADDRESS_LIST_H

#include "core/base/arena.h"
#include "core/base/buf.h"

enum list_node_kind {
    NODE_ADDRESS, /* text: external form */
    NODE_WORD,    /* of a phrase */
    NODE_MARK,    /* '.', '@' and the like in a phrase */
    NODE_COMMENT,
    NODE_LESS,
    NODE_GREATER,
    NODE_COMMA,
    NODE_SEMICOLON,
    NODE_COLON,
};

struct list_node {
    struct list_node *next;
    enum list_node_kind kind;
    slice text;
};

/* VALUE is what follows the header's colon, line ends included.  At most TOKEN_LIMIT tokens are looked at.  *FIRST
 * (NULL: nothing there) and its texts live in ARENA.  False: ARENA's cap. */
MUST_CHECK bool address_list_parse(slice value, size_t token_limit, struct arena *arena, struct list_node **first);

/* "NAME: list", folded by LF and tab behind commas so that lines stay below 70 where they can.  At most MOST bytes,
 * without the LFs: lines that do not fit wholly are left out; a first line is cut.  False: OUT's maximum. */
MUST_CHECK bool address_list_print(slice name, const struct list_node *first, size_t most, struct buf *out);

#endif
