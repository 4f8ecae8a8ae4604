/* mail/agent/head.h - the lines a delivery puts in front of a message: From_, Return-Path, X-Original-To, Delivered-To.
 */
#ifndef MAIL_AGENT_HEAD_H
#define MAIL_AGENT_HEAD_H

#include "mail/agent/agent.h"
#include "mail/agent/mailbox.h"

/* Fills JOB's from_line and head for recipient TO.  False: an address is too long for them (MAILBOX_HEAD_MOST bytes in
 * all, MAILBOX_FROM_MOST for the From_ line), and the message cannot be delivered as it should be. */
MUST_CHECK bool agent_head_fill(struct mailbox_job *job, const struct agent_request *r, const struct recipient *to);

#endif
