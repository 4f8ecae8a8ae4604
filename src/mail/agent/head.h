/* mail/agent/head.h - the lines a delivery puts in front of a message: From_, Return-Path, X-Original-To, Delivered-To.
 */
#ifndef MAIL_AGENT_HEAD_H
#define MAIL_AGENT_HEAD_H

#include "mail/agent/agent.h"
#include "mail/agent/mailbox.h"

/* Adds the From_ line, without its end.  False: an address is too long for LINE. */
MUST_CHECK bool agent_from_line(const struct agent_request *r, slice sender, struct buf *line);
/* Adds the other lines, each with its end; Delivered-To with that address, unless it is empty.  False: too long for
 * HEAD. */
MUST_CHECK bool agent_head(slice sender, const struct recipient *to, slice delivered_to, struct buf *head);

/* Fills JOB's from_line and head for recipient TO.  False: an address is too long for them (MAILBOX_HEAD_MOST bytes in
 * all, MAILBOX_FROM_MOST for the From_ line), and the message cannot be delivered as it should be. */
MUST_CHECK bool agent_head_fill(struct mailbox_job *job, const struct agent_request *r, slice sender,
                                const struct recipient *to, slice delivered_to);

#endif
