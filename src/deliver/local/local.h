/* deliver/local/local.h - one recipient on its way through aliases to mailboxes.
 *
 * A delivery expands its recipient's name.  Each user found is a part, delivered at once; each address that belongs
 * elsewhere is gathered for one new message (flow.md section 2, "inline or re-queued").  Functions may suspend. */
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
    bool passed; /* another agent had it, and has said so */
};

struct forward {
    struct forward *next;
    slice address;
};

/* A name from an alias that has yet to be looked at; PARENT is the alias it stood in, DEPTH how many there are above
 * it. */
struct pending {
    struct pending *next;
    slice name, parent;
    int depth;
};

struct delivery {
    struct agent_request *request;
    size_t index;
    struct recipient *to; /* the request's recipient */
    slice domain;         /* of TO */
    struct part *parts, **last_part;
    struct forward *forwards, **last_forward;
    struct pending *pending, **last_pending;
    slice owner;        /* an owner- alias is in force: everything goes through a new message, sent by it */
    struct map seen;    /* users and addresses already taken care of */
    bool through_alias; /* some name was expanded */
};

/* ---- delivery.c ---- */
/* Adds the outcome of one part. */
void delivery_add(struct delivery *d, slice address, struct outcome o);
/* The same for a part that agent_pass() handed on. */
void delivery_passed(struct delivery *d, slice address, struct outcome o);
struct outcome local_outcome(enum outcome_kind kind, struct dsn_code dsn, slice reason);

/* ---- expand.c ---- */
/* What becomes of local part NAME of this machine: alias, or user.  An alias that names itself means the user; a circle
 * of names ends with "alias database loop". */
void alias_expand(struct delivery *d, slice name);

/* ---- user.c ---- */
/* Delivers to the mailbox of user NAME; SHOWN is the local part, with its extension, that is reported. */
void user_deliver(struct delivery *d, slice shown, slice name);

/* ---- forward.c ---- */
/* Posts the new message to all gathered addresses; *ID is its queue id. */
MUST_CHECK bool forward_post(struct delivery *d, slice *id, struct err *err);
/* Is the recipient's address already in a Delivered-To: header? */
bool forward_loops(struct delivery *d, struct err *err);

#endif
