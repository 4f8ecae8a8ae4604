/* mail/policy/listed.h - does the address exist?  By address class, from the tables that class names. */
#ifndef MAIL_POLICY_LISTED_H
#define MAIL_POLICY_LISTED_H

#include "mail/policy/walk.h"

enum walk_result listed_recipient(struct walk *w);
enum walk_result listed_sender(struct walk *w);

#endif
