/* mail/agent/agent.h - the frame of a delivery agent: request in, one outcome per recipient out.
 *
 * An agent implements deliver(): it gets an open, locked queue file and the recipients and calls agent_report() for
 * each. The frame speaks the delivery protocol (ipc.md 8.3), opens queue_name/queue_id O_RDWR, takes the shared lock,
 * reports to defer, bounce and trace, writes the delivery line, marks the recipient done (R to D) after that, and
 * answers qmgr. Order per recipient: durable delivery, log line, mark, answer.  Depends on: mail/proto, mail/queue,
 * mail/service, mail/events. */
#ifndef MAIL_AGENT_AGENT_H
#define MAIL_AGENT_AGENT_H

#include "core/base/arena.h"
#include "mail/envelope/message_times.h"
#include "mail/envelope/outcome.h"
#include "mail/envelope/recipient.h"
#include "mail/proto/delivery.h"
#include "mail/queue/reader.h"

struct agent_filter;
struct agent_request {
    struct delivery_request wire; /* texts in ARENA */
    struct recipient *recipients;
    size_t recipient_count;
    bool *done;                 /* per recipient: agent_report() has handled it for good (delivered or bounced) */
    bool *reported;             /* per recipient: agent_report() was called */
    struct message_times times; /* agent sets connected_us; the frame sets the rest */
    int fd;                     /* the queue file, O_RDWR, locked shared; owned by the frame */
    char path[256];             /* "active/ID" */
    struct arena *arena;        /* for the length of the request */
    bool some_deferred;
    const slice *owner; /* who is told of what bounces; NULL: the sender, when all is done.  The frame's own */
    const struct agent_filter *filter; /* of the agent, for what it reports: filter.h; NULL: none */
    struct delivery_answer answer; /* destination's fault, for qmgr's throttle; set by agent_destination_failed() */
    deadline by;                   /* for talking to our own services; ipc_timeout from the last report on */
};

/* Tells the frame what became of recipient INDEX: logs, reports to bounce/defer/trace, marks.  Honest about itself:
 * when bounce(8) cannot be reached the recipient is deferred instead.  Call it at most once per recipient; recipients
 * without a report are deferred by the frame with "4.3.0 mail delivery failed". */
void agent_report(struct agent_request *r, size_t index, const struct outcome *outcome);
/* The same outcome for all recipients not yet reported. */
void agent_report_rest(struct agent_request *r, const struct outcome *outcome);
/* For agents that turn one recipient into several (aliases).  agent_report_part() reports PART, which is none of the
 * request's recipients, without marking anything; true: delivered or bounced for good.  agent_settle() then ends
 * recipient INDEX without a line of its own: DONE marks it, else it will be tried again. */
bool agent_report_part(struct agent_request *r, const struct recipient *part, const struct outcome *outcome);
/* The same on behalf of a list: when it bounces OWNER is told, not the sender. */
bool agent_report_part_to(struct agent_request *r, const struct recipient *part, const struct outcome *outcome,
                          slice owner);
void agent_settle(struct agent_request *r, size_t index, bool done);
/* Recipient INDEX stands for others.  A sender who wants news of success gets OUTCOME, whose action says so, and none of
 * what becomes of the others: RFC 3461 5.2.7. */
void agent_report_expansion(struct agent_request *r, size_t index, const struct outcome *outcome);
/* The destination as a whole failed (connection refused, host not found): qmgr throttles it with this reason. */
void agent_destination_failed(struct agent_request *r, const struct outcome *outcome);

/* A reader at the start of the message content (offset of the request). */
struct queue_reader *agent_content(struct agent_request *r);

/* Marks the queue file corrupt (fchmod 0400, "warning: corrupted queue file: active/ID"): qmgr sets it aside when the
 * recipients that wait have been reported. */
void agent_mark_corrupt(struct agent_request *r);
/* Defers the rest; marks the file if it is damaged (ERR_CORRUPT), not if it could only not be read this time. */
void agent_unreadable(struct agent_request *r, const struct err *err);

typedef void agent_deliver_fn(struct agent_request *r);

/* The client() of an agent's struct service. */
struct stream;
void agent_serve(struct stream *s, agent_deliver_fn *deliver);

/* Hands a recipient, one of the request's or a part of it, on to another transport ("passing <x> to transport=y"):
 * mailbox_transport and the like.  The other agent logs and reports it; marking it is left to agent_settle().  *OUT
 * says delivered (or bounced: handled for good) or deferred.  False: it could not be handed on, and nothing was
 * reported. */
MUST_CHECK bool agent_pass(struct agent_request *r, const struct recipient *one, slice transport, slice nexthop,
                           struct outcome *out, struct err *err);

/* "5.1.1 User unknown" as code and text: error and discard nexthops.  Without a code *CODE is untouched; blanks after
 * it go. */
slice agent_split_dsn(slice text, struct dsn_code *code);

#endif
