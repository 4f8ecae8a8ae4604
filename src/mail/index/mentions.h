/* mail/index/mentions.h - the messages for recipients at a domain, without a look at any other. */
#ifndef MAIL_INDEX_MENTIONS_H
#define MAIL_INDEX_MENTIONS_H

#include "mail/index/index.h"

/* As a cursor through a queue (index.h), but of what is INDEX_KNOWN in any queue.  DOMAIN, in whatever case, is the
 * caller's and must live as long. */
struct index_mentions {
    struct interned_set *texts;
    slice domain;
    struct interned *text;  /* the spelling at hand; NULL: none */
    struct mention at, end; /* in its list, and of no message */
};
void index_mentions_begin(struct index *ix, slice domain, struct index_mentions *m);
/* NULL: no more.  E lives until the next change. */
struct index_entry *index_mentions_next(struct index_mentions *m);
void index_mentions_end(struct index_mentions *m);

#endif
