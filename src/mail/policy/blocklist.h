/* mail/policy/blocklist.h - restrictions by DNS lists of addresses and of names ("rbl.example", "rbl.example=127.0.0.2"). */
#ifndef MAIL_POLICY_BLOCKLIST_H
#define MAIL_POLICY_BLOCKLIST_H

#include "mail/policy/restriction.h"

enum walk_result reject_rbl_client(struct walk *w, const struct restriction_use *use);
enum walk_result reject_rhsbl_client(struct walk *w, const struct restriction_use *use);
enum walk_result reject_rhsbl_reverse_client(struct walk *w, const struct restriction_use *use);
enum walk_result reject_rhsbl_helo(struct walk *w, const struct restriction_use *use);
enum walk_result reject_rhsbl_sender(struct walk *w, const struct restriction_use *use);
enum walk_result reject_rhsbl_recipient(struct walk *w, const struct restriction_use *use);
enum walk_result permit_dnswl_client(struct walk *w, const struct restriction_use *use);
enum walk_result permit_rhswl_client(struct walk *w, const struct restriction_use *use);
/* Of former times: the lists in maps_rbl_domains. */
enum walk_result reject_maps_rbl(struct walk *w, const struct restriction_use *use);

#endif
