/* deliver/local/local.h - one recipient on its way through aliases to mailboxes.
 *
 * A delivery expands its recipient's name.  Each user found is a part, delivered at once; each address that belongs elsewhere
 * is gathered for one new message (flow.md section 2, "inline or re-queued").  Functions may suspend. */
#ifndef DELIVER_LOCAL_LOCAL_H
#define DELIVER_LOCAL_LOCAL_H

#include "core/base/map.h"
#include "mail/address/client.h"
#include "mail/agent/agent.h"
#include "mail/agent/spawner.h"
#include "mail/params/params.h"
#include "mail/table/table.h"

struct local_world {
    struct params *params;
    const char *service; /* the transport this process serves */
    struct tables *aliases;
    struct address_client *resolver;
    struct spawner *spawner;
    unsigned locks;
};
extern struct local_world world;

struct part {
    struct part *next;
    struct recipient recipient; /* as it is shown and reported */
    struct outcome outcome;
};

struct forward {
    struct forward *next;
    slice address;
};

struct delivery {
    struct agent_request *request;
    size_t index;
    struct recipient *to;    /* the request's recipient */
    slice domain;            /* of TO */
    struct part *parts, **last_part;
    struct forward *forwards, **last_forward;
    slice owner;             /* an owner- alias is in force: everything goes through a new message, sent by it */
    struct map seen;         /* users and addresses already taken care of */
    bool through_alias;      /* some name was expanded */
};

/* Adds the outcome of one part. */
void delivery_add(struct delivery *d, slice address, struct outcome o);
struct outcome local_outcome(enum outcome_kind kind, struct dsn_code dsn, slice reason);

/* ---- expand.c ---- */
/* What becomes of local part NAME of this machine: alias, or user. */
void expand_name(struct delivery *d, slice name, int depth);

/* ---- user.c ---- */
/* Delivers to the user's mailbox. */
void user_deliver(struct delivery *d, slice name);

/* ---- forward.c ---- */
/* Posts the new message to all gathered addresses; *ID is its queue id. */
MUST_CHECK bool forward_post(struct delivery *d, slice *id, struct err *err);
/* Is the recipient's address already in a Delivered-To: header? */
bool forward_loops(struct delivery *d, struct err *err);

#endif
